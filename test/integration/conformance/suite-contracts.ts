import {
  create,
  createFileRegistry,
  createRegistry,
  fromBinary,
  setExtension,
  type DescMessage,
  type DescMethod,
  type DescService,
  type FileRegistry,
  type Registry,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { readFileSync } from "node:fs";
import {
  Access,
  method as policy,
} from "../../../gen/ts/weft/policy/v1/policy_pb.ts";

/** The suite's contracts, read from its own Go module; none of them stands in this tree. */
export interface SuiteContracts {
  readonly registry: Registry;
  readonly service: DescService;
  message(name: string): DescMessage;
}

const PACKAGE = "connectrpc.conformance.v1";

/** Reads a descriptor set of the suite. Its methods get the policy without which the platform serves and calls nothing. */
export function readSuiteContracts(file: string): SuiteContracts {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(file));
  const files = createFileRegistry(set);
  const service = required(files, "ConformanceService", "service");
  service.methods.forEach(givePolicy);
  return {
    registry: createRegistry(...files.files),
    service,
    message: (name) => required(files, name, "message"),
  };
}

function required<Kind extends "service" | "message">(
  files: FileRegistry,
  name: string,
  kind: Kind,
): Extract<ReturnType<FileRegistry["get"]>, { kind: Kind }> {
  const found = files.get(`${PACKAGE}.${name}`);
  if (found?.kind !== kind) throw new Error(`the suite has no ${kind} ${name}`);
  // The comparison above does not narrow a type parameter.
  return found as Extract<ReturnType<FileRegistry["get"]>, { kind: Kind }>;
}

/** Longer than any case of the suite takes, so that it never shows. */
export const policyTimeoutSeconds = 300;

function givePolicy(method: DescMethod): void {
  method.proto.options ??= create(MethodOptionsSchema);
  setExtension(method.proto.options, policy, {
    $typeName: "weft.policy.v1.MethodPolicy",
    access: Access.PUBLIC,
    scopes: [],
    callers: [],
    audited: false,
    auditFields: [],
    rateClass: "conformance",
    timeout: {
      $typeName: "google.protobuf.Duration",
      seconds: BigInt(policyTimeoutSeconds),
      nanos: 0,
    },
  });
}
