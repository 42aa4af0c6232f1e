import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodStreaming,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Code, StreamResponse } from "@connectrpc/connect";
import type {
  Client,
  ClientDuplexStream,
  ClientReadableStream,
  ServiceError,
} from "@grpc/grpc-js";
import { once } from "node:events";
import { untilAborted } from "../data/until-aborted.ts";
import {
  callOptions,
  decodeAnswer,
  definitionOf,
  traceSetter,
} from "./grpc-call.ts";
import { asBuffer, encodeMessage } from "./grpc-codec.ts";
import { metadataToHeaders } from "./grpc-metadata.ts";
import { fromGrpcStatus } from "./grpc-status.ts";
import { endOfCall } from "./map-error.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { observeClientCall, type ObservedCall } from "./rpc-telemetry.ts";

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
  const observed = observeClientCall(method, metadata, traceSetter);
  const call = client.makeServerStreamRequest(
    definitionOf(method).path,
    asBuffer,
    (buffer) => buffer,
    request,
    metadata,
    callOptions(outgoing),
  );
  return responseOf(call, method, outgoing.signal, observed);
}

/**
 * Opens a call that streams its requests, whether it has one answer or many. Requests are taken from `input` as fast as
 * the callee reads them, 16 ahead at most. The callee may answer and end before it has read all: `input` is then closed.
 * Where `input` throws, the call is cancelled, and its answers end with that error.
 */
export async function callDuplex<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodClientStreaming<I, O> | DescMethodBiDiStreaming<I, O>,
  input: AsyncIterable<MessageInitShape<I>>,
  outgoing: OutgoingCall,
): Promise<StreamResponse<I, O>> {
  const metadata = outgoing.metadata();
  const observed = observeClientCall(method, metadata, traceSetter);
  // On the wire one answer is a stream of one; Connect's client sees to it that there is one.
  const call = client.makeBidiStreamRequest(
    definitionOf(method).path,
    asBuffer,
    (buffer: Buffer) => buffer,
    metadata,
    callOptions(outgoing),
  );
  const ended = new AbortController();
  call.on("status", () => ended.abort(new Error("the call has ended")));
  const sent = sendAll(call, method, input, ended.signal);
  return responseOf(call, method, outgoing.signal, observed, sent);
}

/** Resolves with what `input` threw, if it did. */
async function sendAll<I extends DescMessage>(
  call: ClientDuplexStream<Uint8Array, Buffer>,
  method: DescMethodStreaming<I>,
  input: AsyncIterable<MessageInitShape<I>>,
  ended: AbortSignal,
): Promise<InputFailure | undefined> {
  const iterator = input[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), ended);
      if (next.done) {
        call.end();
        return undefined;
      }
      if (!call.write(encodeMessage(method.input, next.value))) {
        await once(call, "drain", { signal: ended });
      }
    }
  } catch (cause) {
    // Not awaited: it would wait for a message that may never come.
    iterator.return?.().catch(() => undefined);
    if (ended.aborted) {
      return undefined;
    }
    call.cancel();
    return { cause };
  }
}

interface InputFailure {
  readonly cause: unknown;
}

type StreamCall =
  ClientReadableStream<Buffer> | ClientDuplexStream<Uint8Array, Buffer>;

function responseOf<I extends DescMessage, O extends DescMessage>(
  call: StreamCall,
  method: DescMethodStreaming<I, O>,
  signal: AbortSignal | undefined,
  observed: ObservedCall,
  sent?: Promise<InputFailure | undefined>,
): StreamResponse<I, O> {
  const trailer = new Headers();
  call.on("status", (status) => {
    metadataToHeaders(status.metadata).forEach((value, key) =>
      trailer.append(key, value),
    );
    // Connect's codes are gRPC's numbers.
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
    message: messages(call, method, signal, sent),
  };
}

async function* messages<O extends DescMessage>(
  call: StreamCall,
  method: DescMethodStreaming<DescMessage, O>,
  signal: AbortSignal | undefined,
  sent: Promise<InputFailure | undefined> | undefined,
): AsyncGenerator<MessageShape<O>> {
  const cancel = () => call.cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const bytes of call) {
      // grpc-js types what a Readable yields as any; our deserializer returns the bytes.
      yield decodeAnswer(method.output, bytes as Buffer);
    }
  } catch (error) {
    if (signal?.aborted) {
      throw endOfCall(signal);
    }
    const failure = await sent;
    if (failure) {
      throw failure.cause;
    }
    throw isServiceError(error) ? fromGrpcStatus(error) : error;
  } finally {
    signal?.removeEventListener("abort", cancel);
    call.cancel();
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}
