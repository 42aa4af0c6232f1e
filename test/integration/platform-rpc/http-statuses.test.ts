import { Code, createClient } from "@connectrpc/connect";
import { once } from "node:events";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { createMeshTls } from "../../support/mesh-tls.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { orderName } from "./rpc-world.ts";

it("takes HTTP 429 without a gRPC status for RESOURCE_EXHAUSTED, and does not try again", async () => {
  await using stack = new AsyncDisposableStack();
  const tls = stack.use(await createMeshTls(["order", "payment"]));
  const server = createSecureServer({
    ...tls.of("order"),
    requestCert: true,
    rejectUnauthorized: true,
  });
  let calls = 0;
  server.on("session", (session) => stack.defer(() => session.destroy()));
  server.on("stream", (stream: ServerHttp2Stream) => {
    calls += 1;
    stream.respond({ ":status": 429, "retry-after": "3" });
    stream.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const transport = createMeshTransport({
    address: `127.0.0.1:${port}`,
    callee: "order",
    tls: tls.of("payment"),
    logger: silentLogger,
  });
  stack.defer(() => transport.close());

  const call = createClient(OrderService, transport).getOrder({
    name: orderName,
  });

  await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect(calls).toBe(1);
});
