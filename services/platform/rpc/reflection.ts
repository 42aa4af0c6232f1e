import {
  toBinary,
  type DescFile,
  type DescService,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  status,
  type handleBidiStreamingCall as HandleBidiStream,
  type Server,
  type ServerDuplexStream,
} from "@grpc/grpc-js";
import { once } from "node:events";
import { addAbortSignal } from "node:stream";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { plainDefinition } from "./plain-definition.ts";

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>;
type Answer = Exclude<Response["messageResponse"], undefined>;

/**
 * Answers gRPC server reflection, v1 and v1alpha, from the contracts' own descriptors. It is for peers inside the mesh;
 * the edge has no route to it. The protocol: https://github.com/grpc/grpc/blob/master/doc/server-reflection.md.
 */
export function mountReflection(
  server: Server,
  services: readonly DescService[],
): void {
  // Made when somebody asks, which in most processes nobody does.
  let index: SymbolIndex | undefined;
  const serverReflectionInfo: HandleBidiStream<
    ServerReflectionRequest,
    Response
  > = (call) => {
    index ??= indexOf(services.map(({ file }) => file));
    void answerEach(call, services, index);
  };
  // The messages of v1alpha have the same fields.
  for (const version of [ServerReflection, ServerReflectionAlpha]) {
    server.addService(plainDefinition(version), { serverReflectionInfo });
  }
}

/** At the pace of the client's reading. */
async function answerEach(
  call: ServerDuplexStream<ServerReflectionRequest, Response>,
  services: readonly DescService[],
  index: SymbolIndex,
): Promise<void> {
  const cancelled = new AbortController();
  call.once("cancelled", () => cancelled.abort());
  const { signal } = cancelled;
  // The end of the requests must leave the call open: the last answers still have to go out.
  const requests = addAbortSignal(signal, call).iterator({
    destroyOnReturn: false,
  });
  try {
    for await (const originalRequest of requests) {
      // A Readable yields any; our definition reads these messages.
      const request = originalRequest as ServerReflectionRequest;
      const response = {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answer(index, services, request.messageRequest),
      };
      if (!call.write(response)) await once(call, "drain", { signal });
    }
    call.end();
  } catch (error) {
    // Where the client has not left, it is told: grpc-js makes a status of it.
    if (!signal.aborted) call.emit("error", error);
  }
}

interface SymbolIndex {
  readonly byName: ReadonlyMap<string, DescFile>;
  readonly bySymbol: ReadonlyMap<string, DescFile>;
  /** The files of the extensions of a message, by their numbers. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function indexOf(roots: readonly DescFile[]): SymbolIndex {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  const files = new Set(roots.flatMap(withDependencies));
  for (const file of files) {
    byName.set(file.proto.name, file);
    for (const type of nestedTypes(file)) {
      for (const symbol of symbolsOf(type)) bySymbol.set(symbol, file);
      if (type.kind !== "extension") continue;
      const { typeName } = type.extendee;
      const numbers = extensions.get(typeName) ?? new Map<number, DescFile>();
      extensions.set(typeName, numbers.set(type.number, file));
    }
  }
  return { byName, bySymbol, extensions };
}

type NestedType =
  ReturnType<typeof nestedTypes> extends Iterable<infer Type> ? Type : never;

/** The full names that a declaration brings. A value of an enum stands beside its enum, not below it. */
function symbolsOf(type: NestedType): string[] {
  const { typeName } = type;
  const below = (names: readonly { readonly name: string }[], parent: string) =>
    names.map(({ name }) => (parent === "" ? name : `${parent}.${name}`));
  switch (type.kind) {
    case "message":
      return [
        typeName,
        ...below(type.fields, typeName),
        ...below(type.oneofs, typeName),
      ];
    case "enum":
      return [
        typeName,
        ...below(type.values, typeName.split(".").slice(0, -1).join(".")),
      ];
    case "service":
      return [typeName, ...below(type.methods, typeName)];
    case "extension":
      return [typeName];
  }
}

function answer(
  index: SymbolIndex,
  services: readonly DescService[],
  asked: ServerReflectionRequest["messageRequest"],
): Answer {
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: {
          service: services.map(({ typeName }) => ({ name: typeName })),
        },
      };
    case "fileByFilename":
      return fileAnswer(index.byName.get(asked.value), asked.value);
    case "fileContainingSymbol":
      return fileAnswer(index.bySymbol.get(asked.value), asked.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = asked.value;
      const file = index.extensions.get(containingType)?.get(extensionNumber);
      return fileAnswer(file, `${containingType} ${extensionNumber}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensions.get(asked.value);
      if (numbers === undefined && !index.bySymbol.has(asked.value))
        return notFound(asked.value);
      const extensionNumber = [...(numbers?.keys() ?? [])];
      return {
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: asked.value, extensionNumber },
      };
    }
    default:
      return {
        case: "errorResponse",
        value: {
          errorCode: status.INVALID_ARGUMENT,
          errorMessage: "the request asks nothing",
        },
      };
  }
}

/** The file, and all that it imports behind it, so that a client need not ask for each. */
function fileAnswer(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return notFound(asked);
  const fileDescriptorProto = withDependencies(file).map(({ proto }) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(asked: string): Answer {
  return {
    case: "errorResponse",
    value: {
      errorCode: status.NOT_FOUND,
      errorMessage: `not found: ${asked}`,
    },
  };
}

/** A file first, and each file before those that it imports. */
function withDependencies(root: DescFile): DescFile[] {
  const importedFirst = new Set<DescFile>();
  const add = (file: DescFile) => {
    if (importedFirst.has(file)) return;
    file.dependencies.forEach(add);
    importedFirst.add(file);
  };
  add(root);
  return [...importedFirst].reverse();
}
