import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  Client,
  compressionAlgorithms,
  credentials,
  Metadata,
  type ClientReadableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { once } from "node:events";
import { StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import type { EdgeAddress } from "./mesh-under-test.ts";

/** Calls through the edge with grpc-js, from the descriptor alone: what a Node program of another team has. */
export function createGrpcJsTransport(
  edge: EdgeAddress,
  compress = false,
): Transport & Disposable {
  const client = new Client(
    new URL(edge.url).host,
    credentials.createSsl(edge.ca),
    compress
      ? { "grpc.default_compression_algorithm": compressionAlgorithms.gzip }
      : {},
  );
  return {
    async unary(method, signal, timeoutMs, header, input) {
      const around = envelope(method);
      const message = await unary(
        client,
        method,
        { signal, timeoutMs, header },
        input,
        around,
      );
      return { ...around, stream: false, method, message };
    },
    async stream(method, signal, timeoutMs, header, input) {
      const streamOf =
        method.methodKind === "server_streaming" ? serverStream : bidiStream;
      const message = streamOf(
        client,
        method,
        { signal, timeoutMs, header },
        input,
      );
      return { ...envelope(method), stream: true, method, message };
    },
    [Symbol.dispose]: () => client.close(),
  };
}

interface CallOptions {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: Parameters<Transport["unary"]>[3];
}

const DEADLINE_MS = 60_000;

function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethod & { readonly input: I; readonly output: O },
  options: CallOptions,
  input: MessageInitShape<I>,
  around: Envelope,
): Promise<MessageShape<O>> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      pathOf(method),
      (message: MessageShape<I>) => encode(method.input, message),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, input),
      metadataOf(options),
      { deadline: Date.now() + (options.timeoutMs ?? DEADLINE_MS) },
      (error, response) => {
        signal?.removeEventListener("abort", cancel);
        // grpc-js gives one of the two.
        if (error) reject(errorOf(error));
        else resolve(response as MessageShape<O>);
      },
    );
    call.on("metadata", (metadata) => fill(around.header, metadata));
    call.on("status", ({ metadata }) => fill(around.trailer, metadata));
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

async function* serverStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethod & { readonly input: I; readonly output: O },
  options: CallOptions,
  inputs: AsyncIterable<MessageInitShape<I>>,
): AsyncGenerator<MessageShape<O>> {
  const { signal } = options;
  for await (const input of inputs) {
    const call: ClientReadableStream<MessageShape<O>> =
      client.makeServerStreamRequest(
        pathOf(method),
        (message: MessageShape<I>) => encode(method.input, message),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, input),
        metadataOf(options),
        {
          ...(options.timeoutMs && {
            deadline: Date.now() + options.timeoutMs,
          }),
        },
      );
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      yield* call;
    } catch (error) {
      // What a grpc-js stream throws is a ServiceError.
      throw errorOf(error as ServiceError);
    } finally {
      signal?.removeEventListener("abort", cancel);
      call.on("error", () => undefined);
      call.cancel();
    }
  }
}

async function* bidiStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethod & { readonly input: I; readonly output: O },
  options: CallOptions,
  inputs: AsyncIterable<MessageInitShape<I>>,
): AsyncGenerator<MessageShape<O>> {
  const call = client.makeBidiStreamRequest(
    pathOf(method),
    (message: MessageShape<I>) => encode(method.input, message),
    (bytes: Buffer) => fromBinary(method.output, bytes),
    metadataOf(options),
    {},
  );
  const cancel = () => call.cancel();
  options.signal?.addEventListener("abort", cancel, { once: true });
  const sending = (async () => {
    for await (const input of inputs) {
      if (!call.write(create(method.input, input))) await once(call, "drain");
    }
    call.end();
  })();
  sending.catch(cancel);
  try {
    // grpc-js types what a stream yields as any; our deserializer returns messages.
    yield* call as AsyncIterable<MessageShape<O>>;
  } catch (error) {
    // What a grpc-js stream throws is a ServiceError.
    throw errorOf(error as ServiceError);
  } finally {
    options.signal?.removeEventListener("abort", cancel);
    call.on("error", () => undefined);
    call.cancel();
  }
}

function errorOf({ code, details, metadata }: ServiceError): ConnectError {
  // Connect's codes are gRPC's numbers.
  const error = new ConnectError(details, code as number as Code);
  fill(error.metadata, metadata);
  const [bytes] = metadata.get("grpc-status-details-bin");
  if (bytes instanceof Buffer) {
    error.details = fromBinary(StatusSchema, bytes).details.map((any) => ({
      type: any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
      value: any.value,
    }));
  }
  return error;
}

function metadataOf({ header }: CallOptions): Metadata {
  const metadata = new Metadata();
  new Headers(header).forEach((value, key) => metadata.set(key, value));
  return metadata;
}

function encode<I extends DescMessage>(desc: I, message: MessageShape<I>) {
  return Buffer.from(toBinary(desc, message));
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

interface Envelope {
  readonly header: Headers;
  readonly trailer: Headers;
}

function fill(headers: Headers, metadata: Metadata): void {
  for (const [name, value] of Object.entries(metadata.getMap())) {
    headers.set(
      name,
      typeof value === "string" ? value : value.toString("base64"),
    );
  }
}

function envelope(method: DescMethod) {
  return {
    service: method.parent,
    header: new Headers(),
    trailer: new Headers(),
  };
}
