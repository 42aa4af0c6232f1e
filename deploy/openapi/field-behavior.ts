import {
  getExtension,
  hasExtension,
  type DescField,
  type Registry,
} from "@bufbuild/protobuf";

// google.api.FieldBehavior (AIP-203).
const REQUIRED = 2;
const OUTPUT_ONLY = 3;
const INPUT_ONLY = 4;
const IDENTIFIER = 8;

export interface FieldBehavior {
  readonly required: boolean;
  /** Set by the service: ignored in requests. */
  readonly outputOnly: boolean;
  /** Never returned. */
  readonly inputOnly: boolean;
}

/** `google.api.field_behavior` of a field. The name of a resource is the service's to choose. */
export function readFieldBehavior(
  field: DescField,
  registry: Registry,
): FieldBehavior {
  const extension = registry.getExtension("google.api.field_behavior");
  const { options } = field.proto;
  const stated =
    extension && options && hasExtension(options, extension)
      ? // The extension is a list of enum values.
        (getExtension(options, extension) as readonly number[])
      : [];
  return {
    required: stated.includes(REQUIRED),
    outputOnly: stated.includes(OUTPUT_ONLY) || stated.includes(IDENTIFIER),
    inputOnly: stated.includes(INPUT_ONLY),
  };
}
