import {
  isFieldSet,
  ScalarType,
  type DescField,
  type DescFile,
  type DescMethod,
  type Registry,
} from "@bufbuild/protobuf";
import { MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { findBindingFaults } from "./binding-faults.ts";
import { readRestBindings } from "./http-rule.ts";
import { readPolicy, type StatedPolicy } from "./method-policy.ts";

/** What leaves a method open, unbounded or ambiguous; a line each. */
export function findContractFaults(
  files: readonly DescFile[],
  registry: Registry,
): string[] {
  const methods = files
    .flatMap((file) => file.services)
    .flatMap((service) => service.methods);
  return [
    ...methods.flatMap((method) =>
      findMethodFaults(method, registry).map(
        (fault) => `${String(method)} ${fault}`,
      ),
    ),
    ...findBindingFaults(methods, registry),
  ];
}

function findMethodFaults(method: DescMethod, registry: Registry): string[] {
  const faults: string[] = [];
  if (!statesIdempotency(method))
    faults.push("does not state idempotency_level");
  if (streamsRequests(method) && readRestBindings(method, registry).length > 0)
    faults.push("streams its requests, but has an HTTP rule");
  const policy = readPolicy(method, registry);
  if (policy === undefined)
    return [...faults, "has no (weft.policy.v1.method) policy"];
  return [
    ...faults,
    ...findPolicyFaults(policy),
    ...findAccessFaults(policy, method, registry),
    ...findAuditFaults(policy, method),
  ];
}

function findPolicyFaults(policy: StatedPolicy): string[] {
  const faults: string[] = [];
  if (policy.timeout === undefined) faults.push("has no timeout");
  else if (policy.timeout <= 0)
    faults.push("has a timeout that is not positive");
  if (policy.rateClass === "") faults.push("has no rate_class");
  else if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(policy.rateClass)) {
    faults.push(`has the malformed rate_class "${policy.rateClass}"`);
  }
  return faults;
}

function findAccessFaults(
  policy: StatedPolicy,
  method: DescMethod,
  registry: Registry,
): string[] {
  const faults: string[] = [];
  const { access, scopes, callers } = policy;
  if (access === "ACCESS_UNSPECIFIED")
    faults.push("has an access of ACCESS_UNSPECIFIED");
  if (access === "ACCESS_USER" && scopes.length === 0)
    faults.push("is ACCESS_USER without scopes");
  if (access !== "ACCESS_USER" && scopes.length > 0)
    faults.push(`is ${access} with scopes`);
  if (access === "ACCESS_SERVICE") {
    if (callers.length === 0) faults.push("is ACCESS_SERVICE without callers");
    if (readRestBindings(method, registry).length > 0) {
      faults.push(
        "is ACCESS_SERVICE with an HTTP rule, but is never reachable through the edge",
      );
    }
  }
  return faults;
}

function findAuditFaults(
  { auditFields }: StatedPolicy,
  { input }: DescMethod,
): string[] {
  const isText = (field: DescField | undefined) =>
    (field?.fieldKind === "scalar" && field.scalar === ScalarType.STRING) ||
    (field?.fieldKind === "map" && field.scalar === ScalarType.STRING);
  return auditFields
    .filter((name) => !isText(input.fields.find((one) => one.name === name)))
    .map(
      (name) =>
        `has the audit_fields "${name}", which is no string and no map of strings of ${input.typeName}`,
    );
}

/** REST has one request; the transcoder would take a JSON array, and nobody would know when it is complete. */
function streamsRequests({ methodKind }: DescMethod): boolean {
  return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}

/** The default, IDEMPOTENCY_UNKNOWN, is an answer only where it is written down. */
function statesIdempotency(method: DescMethod): boolean {
  const options = method.proto.options;
  return (
    options !== undefined &&
    isFieldSet(options, MethodOptionsSchema.field.idempotencyLevel)
  );
}
