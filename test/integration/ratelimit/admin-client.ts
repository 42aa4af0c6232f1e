import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { RateLimitAdminService } from "../../../gen/ts/weft/ratelimit/v1/rate_limit_admin_service_pb.ts";
import type { LimiterWorld } from "./limiter-world.ts";

/** The operators' API, as the edge calls it for a user with this scope. */
export function adminOf(
  world: LimiterWorld,
  scope: string,
): Client<typeof RateLimitAdminService> {
  const claims = JSON.stringify({ sub: "ada", tenant: "weft", scope });
  const transport = createConnectTransport({
    httpVersion: "2",
    baseUrl: `https://localhost:${world.connectPort}`,
    nodeOptions: { ...world.tls("edge") },
    interceptors: [
      (next) => (request) => {
        const encoded = Buffer.from(claims).toString("base64url");
        request.header.set("x-weft-claims", encoded);
        return next(request);
      },
    ],
  });
  return createClient(RateLimitAdminService, transport);
}
