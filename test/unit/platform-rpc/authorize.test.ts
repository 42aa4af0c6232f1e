import { expect, it } from "vitest";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import {
  authorize,
  identityHeaders,
} from "../../../services/platform/rpc/authorize.ts";
import { policyOf } from "../../../services/platform/rpc/policy.ts";

const policies = [OrderService, InventoryService, PaymentService]
  .flatMap((service) => service.methods)
  .map((method) => ({ name: String(method), policy: policyOf(method) }));
const forUsers = policies.filter(({ policy }) => policy.access === "user");
const forServices = policies.filter(
  ({ policy }) => policy.access === "service",
);

// The edge refuses the same with the same words: test/integration/edge/refuse-callers.test.ts.
it.each(forUsers)("$name refuses claims without its scope", ({ policy }) => {
  const [scope = ""] = policy.scopes;
  const claims = { sub: "ada", tenant: "acme", scope: `x${scope} other:scope` };

  expect(() => authorize(policy, "edge", headers(claims))).toThrow(
    expect.objectContaining({
      code: "permission_denied",
      reason: "SCOPE_MISSING",
      message: `the token lacks the scope ${scope}`,
      metadata: { scope },
    }),
  );
});

it.each(forUsers)("$name refuses a call without claims", ({ policy }) => {
  expect(() => authorize(policy, "edge", () => undefined)).toThrow(
    expect.objectContaining({
      code: "unauthenticated",
      reason: "UNAUTHENTICATED",
      message: "a valid token is required",
    }),
  );
});

it.each(forServices)("$name refuses the edge", ({ policy }) => {
  const claims = { sub: "ada", tenant: "acme", scope: "" };

  expect(() => authorize(policy, "edge", headers(claims))).toThrow(
    expect.objectContaining({ reason: "CALLER_NOT_ALLOWED" }),
  );
});

it("believes no claims but the edge's", () => {
  const [user] = forUsers;
  const claims = { sub: "ada", tenant: "acme", scope: "orders:read" };
  const policy = user?.policy;

  expect(policy && (() => authorize(policy, "shop", headers(claims)))).toThrow(
    expect.objectContaining({ reason: "CALLER_NOT_ALLOWED" }),
  );
});

function headers(claims: object) {
  const encoded = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return (name: string) =>
    name === identityHeaders.claims ? encoded : undefined;
}
