import {
  create,
  createFileRegistry,
  createRegistry,
  type DescFile,
  type Registry,
} from "@bufbuild/protobuf";
import {
  CodeGeneratorResponse_Feature,
  CodeGeneratorResponseSchema,
  Edition,
  FileDescriptorSetSchema,
  type CodeGeneratorRequest,
  type CodeGeneratorResponse,
} from "@bufbuild/protobuf/wkt";
import type { Plugin } from "@bufbuild/protoplugin";

/** What a plugin makes of the contracts: the one file it writes, or what it has against them. */
export type Generated =
  { readonly content: string } | { readonly error: string };

/**
 * A protoc plugin that makes one file of all contracts of weft.
 *
 * It reads the contracts from the descriptors of the request, not from generated code: that code may not exist yet.
 */
export function contractPlugin(
  name: string,
  file: string,
  generate: (contracts: readonly DescFile[], registry: Registry) => Generated,
): Plugin {
  const run = (request: CodeGeneratorRequest): CodeGeneratorResponse => {
    const files = createFileRegistry(
      create(FileDescriptorSetSchema, { file: request.protoFile }),
    );
    const contracts = request.fileToGenerate
      .map((path) => files.getFile(path))
      .filter((each) => each !== undefined)
      .filter(isContract);
    // buf runs a plugin once per input; the input of Google's error model is no contract of ours.
    if (contracts.length === 0) return respond({ file: [] });
    const made = generate(contracts, createRegistry(...files.files));
    return respond(
      "error" in made ? made : { file: [{ name: file, ...made }] },
    );
  };
  return { name, version: "1", run };
}

function isContract(file: DescFile): boolean {
  return /^weft(\.|$)/.test(file.proto.package);
}

function respond(result: {
  file?: { name: string; content: string }[];
  error?: string;
}): CodeGeneratorResponse {
  return create(CodeGeneratorResponseSchema, {
    ...result,
    supportedFeatures: BigInt(
      CodeGeneratorResponse_Feature.PROTO3_OPTIONAL |
        CodeGeneratorResponse_Feature.SUPPORTS_EDITIONS,
    ),
    minimumEdition: Edition.EDITION_PROTO2,
    maximumEdition: Edition.EDITION_2024,
  });
}
