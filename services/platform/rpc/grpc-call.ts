import {
  fromBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { TextMapSetter } from "@opentelemetry/api";
import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import {
  Metadata,
  type CallOptions,
  type Client,
  type ServiceError,
} from "@grpc/grpc-js";
import { deadlineExceeded } from "./deadline.ts";
import { asBuffer } from "./grpc-codec.ts";
import { metadataToHeaders } from "./grpc-metadata.ts";
import { methodDefinition } from "./grpc-mount.ts";
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
  const observed = observeClientCall(method, metadata, traceSetter);
  try {
    const answer = await sendUnary(client, method, request, metadata, outgoing);
    const message = decodeAnswer(method.output, answer.bytes);
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
            reject(callFailure(error, outgoing, header));
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
 * Why a call ended, as its caller sees it. A callee that keeps time itself resets the stream at the deadline, a moment before
 * our own timer: that is its passing, not a cancellation.
 */
export function callFailure(
  error: ServiceError,
  { signal, remainingMs }: OutgoingCall,
  header?: Metadata,
): ConnectError {
  if (signal?.aborted) {
    return endOfCall(signal);
  }
  const failure = fromGrpcStatus(error, header);
  const isLate = failure.code === Code.Canceled && remainingMs() <= 5;
  return isLate ? deadlineExceeded() : failure;
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

type Definition = ReturnType<typeof methodDefinition>;
const definitions = new WeakMap<DescMethod, Definition>();

/** The description of a method, made once. */
export function definitionOf(method: DescMethod): Definition {
  const known = definitions.get(method);
  if (known) {
    return known;
  }
  const made = methodDefinition(method);
  definitions.set(method, made);
  return made;
}

/** What grpc-js takes of the bounds of a call. */
export function callOptions(outgoing: OutgoingCall): CallOptions {
  return { deadline: outgoing.deadline };
}

/** Reads an answer. @throws ConnectError INTERNAL where the callee speaks another contract. */
export function decodeAnswer<Desc extends DescMessage>(
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

/** Writes the trace into a call's metadata. */
export const traceSetter: TextMapSetter<Metadata> = {
  set: (metadata, key, value) => metadata.set(key, value),
};
