import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { Code } from "@connectrpc/connect";
import { createPatternMatcher } from "./match-pattern.ts";
import { statusError } from "./status.ts";

/** Checks messages against the `buf.validate` rules of their contract. */
export type Validate = <Desc extends DescMessage>(
  desc: Desc,
  message: MessageShape<Desc>,
) => void;

/** At most so many violations are told of one request. */
const violationLimit = 20;

/**
 * Makes the check of incoming messages. Rules compile at a type's first use.
 *
 * The check throws INVALID_ARGUMENT that names each field and the rule it breaks.
 */
export function createValidate(): Validate {
  const validator = createValidator({ regexMatch: createPatternMatcher() });
  return (desc, message) => {
    const result = validator.validate(desc, message);
    if (result.kind === "valid") {
      return;
    }
    if (result.kind === "error") {
      // The rules themselves are faulty: the contract's fault, not the caller's.
      throw result.error;
    }
    throw invalidFields(result.violations);
  };
}

function invalidFields(found: readonly Violation[]): Error {
  const violations = found.slice(0, violationLimit).map((violation) => ({
    field: pathToString(violation.field),
    description: violation.message,
  }));
  const first = violations[0];
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : "";
  return statusError({
    code: Code.InvalidArgument,
    reason: "INVALID_FIELD",
    message: `${first?.field ?? "the request"}: ${first?.description ?? "is not valid"}${more}`,
    violations,
  });
}
