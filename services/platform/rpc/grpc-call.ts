import {
  fromBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { TextMapSetter } from "@opentelemetry/api";
import {
  Code,
  ConnectError,
  type StreamResponse,
  type UnaryResponse,
} from "@connectrpc/connect";
import {
  Metadata,
  type CallOptions,
  type Client,
  type ClientReadableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { metadataToHeaders } from "./grpc-metadata.ts";
import { asBuffer, methodDefinition } from "./grpc-mount.ts";
import { fromGrpcStatus } from "./grpc-status.ts";
import { endOfCall } from "./map-error.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { observeClientCall } from "./rpc-telemetry.ts";

/**
 * Makes one attempt of a unary call on a grpc-js channel.
 *
 * @throws ConnectError with the callee's details; CANCELLED where our own signal ended it.
 */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: Uint8Array,
  outgoing: OutgoingCall,
): Promise<UnaryResponse<I, O>> {
  const metadata = outgoing.metadata();
  const observed = observeClientCall(method, metadata, setter);
  try {
    const answer = await sendUnary(client, method, request, metadata, outgoing);
    const message = decode(method.output, answer.bytes);
    observed.end(undefined);
    return {
      stream: false,
      service: method.parent,
      method,
      message,
      // Few clients look at headers, and making them costs more than the call's own bookkeeping.
      get header() {
        return metadataToHeaders(answer.header ?? new Metadata());
      },
      get trailer() {
        return metadataToHeaders(answer.trailer);
      },
    };
  } catch (error) {
    observed.end(ConnectError.from(error).code);
    throw error;
  }
}

interface UnaryAnswer {
  readonly bytes: Buffer;
  readonly header: Metadata | undefined;
  readonly trailer: Metadata;
}

function sendUnary(
  client: Client,
  method: DescMethod,
  request: Uint8Array,
  metadata: Metadata,
  outgoing: OutgoingCall,
): Promise<UnaryAnswer> {
  const { path } = definitionOf(method);
  const { signal } = outgoing;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(endOfCall(signal));
      return;
    }
    let header: Metadata | undefined;
    let bytes: Buffer | undefined;
    const call = withoutStacks(() =>
      client.makeUnaryRequest(
        path,
        asBuffer,
        (buffer) => buffer,
        request,
        metadata,
        callOptions(outgoing),
        (error: ServiceError | null, value) => {
          signal?.removeEventListener("abort", cancel);
          if (error) {
            reject(signal?.aborted ? endOfCall(signal) : fromGrpcStatus(error));
          } else {
            bytes = value;
          }
        },
      ),
    );
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    call.on("metadata", (received) => (header = received));
    // The status comes after the callback, with the trailers.
    call.on("status", (status) => {
      if (bytes) {
        resolve({ bytes, header, trailer: status.metadata });
      }
    });
  });
}

/**
 * Runs `work`, whose errors need no stack: grpc-js makes one for every call, in case it fails, and 10 us of each call went
 * into frames that nobody reads, since our own errors carry theirs.
 */
function withoutStacks<T>(work: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/**
 * Opens a server stream. The stream's errors are ConnectErrors. Whoever has enough aborts the signal: Connect's clients
 * hide the iterator's `return`, so leaving a loop early cancels nothing.
 */
export async function callServerStream<
  I extends DescMessage,
  O extends DescMessage,
>(
  client: Client,
  method: DescMethodServerStreaming<I, O>,
  request: Uint8Array,
  outgoing: OutgoingCall,
): Promise<StreamResponse<I, O>> {
  const metadata = outgoing.metadata();
  const observed = observeClientCall(method, metadata, setter);
  const call = client.makeServerStreamRequest(
    definitionOf(method).path,
    asBuffer,
    (buffer) => buffer,
    request,
    metadata,
    callOptions(outgoing),
  );
  const trailer = new Headers();
  call.on("status", (status) => {
    metadataToHeaders(status.metadata).forEach((value, key) =>
      trailer.append(key, value),
    );
    observed.end(
      status.code === 0 ? undefined : (status.code as number as Code),
    );
  });
  // The iterator throws the error; without a listener of its own the event would end the process first.
  call.on("error", () => {});
  return {
    stream: true,
    service: method.parent,
    method,
    header: new Headers(),
    trailer,
    message: messages(call, method, outgoing.signal),
  };
}

async function* messages<I extends DescMessage, O extends DescMessage>(
  call: ClientReadableStream<Buffer>,
  method: DescMethodServerStreaming<I, O>,
  signal: AbortSignal | undefined,
): AsyncGenerator<MessageShape<O>> {
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const bytes of call) {
      // grpc-js types what a Readable yields as any; our deserializer returns the bytes.
      yield decode(method.output, bytes as Buffer);
    }
  } catch (error) {
    if (signal?.aborted) {
      throw endOfCall(signal);
    }
    throw isServiceError(error) ? fromGrpcStatus(error) : error;
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.cancel();
  }
}

type Definition = ReturnType<typeof methodDefinition>;
const definitions = new WeakMap<DescMethod, Definition>();

function definitionOf(method: DescMethod): Definition {
  const known = definitions.get(method);
  if (known) {
    return known;
  }
  const made = methodDefinition(method);
  definitions.set(method, made);
  return made;
}

function callOptions(outgoing: OutgoingCall): CallOptions {
  return { deadline: outgoing.deadline };
}

function decode<Desc extends DescMessage>(
  desc: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes);
  } catch (cause) {
    throw new ConnectError(
      `the answer is not a valid ${desc.typeName}`,
      Code.Internal,
      undefined,
      undefined,
      cause,
    );
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}

const setter: TextMapSetter<Metadata> = {
  set: (metadata, key, value) => metadata.set(key, value),
};
