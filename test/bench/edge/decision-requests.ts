import { create, toBinary } from "@bufbuild/protobuf";
import { RateLimitRequestSchema } from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";

export const DECIDE_PATH =
  "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/** Callers whose requests are asked about in turn. */
const SUBJECTS = 10_000;

/** What the edge asks about GetOrder, for one caller after another. */
export function decisionRequests(): Buffer[] {
  return Array.from({ length: SUBJECTS }, (_, index) => {
    const entries = {
      rate_class: "orders-read",
      method: "weft.order.v1.OrderService/GetOrder",
      tenant: `tenant-${index % 100}`,
      subject: `subject-${index}`,
      masked_remote_address: "127.0.0.1/32",
    };
    const request = create(RateLimitRequestSchema, {
      domain: "edge",
      descriptors: [
        {
          entries: Object.entries(entries).map(([key, value]) => ({
            key,
            value,
          })),
        },
      ],
    });
    return Buffer.from(toBinary(RateLimitRequestSchema, request));
  });
}
