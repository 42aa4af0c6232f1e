import { toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { asBuffer } from "./grpc-codec.ts";

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];

/**
 * Answers gRPC server reflection, v1 and v1alpha, from the contracts' own descriptors. It is for peers inside the mesh;
 * the edge has no route to it.
 */
export function mountReflection(
  server: Server,
  services: readonly DescService[],
): void {
  const files = new Map<string, Buffer>();
  for (const service of services) {
    addFile(files, service.file);
  }
  // ReflectionService reads nothing of a definition but its files; proto-loader, for which the type is made, would read
  // the .proto sources again.
  const definition = {
    "weft.contracts": { fileDescriptorProtos: [...files.values()] },
  } as unknown as PackageDefinition;
  new ReflectionService(definition, {
    services: services.map((service) => service.typeName),
  }).addToServer(server);
}

function addFile(files: Map<string, Buffer>, file: DescFile): void {
  if (files.has(file.proto.name)) {
    return;
  }
  for (const dependency of file.dependencies) {
    addFile(files, dependency);
  }
  files.set(
    file.proto.name,
    asBuffer(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
}
