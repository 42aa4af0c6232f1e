import { getOption, type DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import {
  Access,
  method as methodPolicy,
} from "../../../gen/ts/weft/policy/v1/policy_pb.ts";

/** A method's `weft.policy.v1.method` option, ready to use. */
export interface Policy {
  readonly access: "public" | "user" | "service";
  readonly scopes: readonly string[];
  /** Services that may call the method directly. */
  readonly callers: ReadonlySet<string>;
  readonly timeoutMs: number;
  /** Whether the audit log has to know of every call. */
  readonly audited: boolean;
  /** The request's fields that tell the audit log what a call is about; none, and it is `name`. */
  readonly auditFields: readonly string[];
  /** Whether the same request may be sent again without looking. */
  readonly idempotent: boolean;
  readonly readOnly: boolean;
}

const policies = new WeakMap<DescMethod, Policy>();

/**
 * Returns the policy that a method's contract states.
 *
 * @throws Error where there is none: the contracts' build refuses such a method, so the code here is not generated
 * from them.
 */
export function policyOf(method: DescMethod): Policy {
  const known = policies.get(method);
  if (known) {
    return known;
  }
  const policy = readPolicy(method);
  policies.set(method, policy);
  return policy;
}

function readPolicy(method: DescMethod): Policy {
  const option = getOption(method, methodPolicy);
  const access = accessNames[option.access];
  if (!access || !option.timeout) {
    throw new Error(`${method.toString()} has no weft.policy.v1.method`);
  }
  return {
    access,
    scopes: option.scopes,
    callers: new Set(option.callers),
    timeoutMs:
      Number(option.timeout.seconds) * 1000 + option.timeout.nanos / 1e6,
    audited:
      option.audited || option.scopes.some((scope) => scope.endsWith(":admin")),
    auditFields: option.auditFields,
    idempotent: method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN,
    readOnly: method.idempotency === Idempotency.NO_SIDE_EFFECTS,
  };
}

// Access is an open enum: a contract newer than this code may name a value that is not listed.
const accessNames: Readonly<Record<number, Policy["access"]>> = {
  [Access.PUBLIC]: "public",
  [Access.USER]: "user",
  [Access.SERVICE]: "service",
};

/**
 * Whether a request may be sent again after a failure that leaves its fate open: its method is idempotent by contract,
 * or the request carries a `request_id` by which the service knows it again (AIP-155).
 */
export function isRetriable(method: DescMethod, request: object): boolean {
  if (policyOf(method).idempotent) {
    return true;
  }
  return "requestId" in request && Boolean(request.requestId);
}
