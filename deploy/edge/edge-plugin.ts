import {
  create,
  createFileRegistry,
  createRegistry,
  type DescFile,
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
import { findCommentFaults } from "./comment-faults.ts";
import { findContractFaults } from "./contract-faults.ts";
import { describeRoutes } from "./describe-routes.ts";

/**
 * The protoc plugin of the edge: writes `routes.json`, what the edge has to know of every method, and refuses contracts
 * that leave something open (see `contract-faults.ts`). All faults are reported at once, a line each.
 *
 * It reads the policy from the descriptors of the request, not from generated code: that code may not exist yet.
 */
export const edgePlugin: Plugin = {
  name: "protoc-gen-weft-edge",
  version: "1",
  run: generateEdge,
};

function generateEdge(request: CodeGeneratorRequest): CodeGeneratorResponse {
  const files = createFileRegistry(
    create(FileDescriptorSetSchema, { file: request.protoFile }),
  );
  const contracts = request.fileToGenerate
    .map((path) => files.getFile(path))
    .filter((file) => file !== undefined)
    .filter(isContract);
  // buf runs a plugin once per input; the input of Google's error model has nothing for the edge.
  if (contracts.length === 0) return respond({ file: [] });

  const registry = createRegistry(...files.files);
  const faults = [
    ...findContractFaults(contracts, registry),
    ...findCommentFaults(contracts),
  ];
  if (faults.length > 0) {
    return respond({
      error: ["the contracts are refused:", ...faults].join("\n  "),
    });
  }
  const routes = describeRoutes(contracts, registry);
  const content = `${JSON.stringify(routes, null, 2)}\n`;
  return respond({ file: [{ name: "routes.json", content }] });
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
