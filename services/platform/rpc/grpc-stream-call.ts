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
  Metadata,
  ServiceError,
} from "@grpc/grpc-js";
import { once } from "node:events";
import { untilAborted } from "../data/until-aborted.ts";
import {
  callFailure,
  callOptions,
  decodeAnswer,
  definitionOf,
  traceSetter,
} from "./grpc-call.ts";
import { asBuffer, encodeMessage } from "./grpc-codec.ts";
import { metadataToHeaders } from "./grpc-metadata.ts";
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
  return responseOf(call, method, outgoing, observed);
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
  return responseOf(call, method, outgoing, observed, sent);
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

/** Resolves when the callee's headers are there, or the call has ended without. */
async function responseOf<I extends DescMessage, O extends DescMessage>(
  call: StreamCall,
  method: DescMethodStreaming<I, O>,
  outgoing: OutgoingCall,
  observed: ObservedCall,
  sent?: Promise<InputFailure | undefined>,
): Promise<StreamResponse<I, O>> {
  const header = new Headers();
  const trailer = new Headers();
  const begun = Promise.withResolvers<void>();
  call.on("metadata", (metadata) => {
    addAll(header, metadata);
    begun.resolve();
  });
  call.on("status", (status) => {
    addAll(trailer, status.metadata);
    // Connect's codes are gRPC's numbers.
    observed.end(
      status.code === 0 ? undefined : (status.code as number as Code),
    );
    begun.resolve();
  });
  const { signal } = outgoing;
  const cancel = () => call.cancel();
  call.on("status", () => signal?.removeEventListener("abort", cancel));
  if (signal?.aborted) {
    cancel();
  } else {
    signal?.addEventListener("abort", cancel, { once: true });
  }
  const message = messages(call, method, receive(call), outgoing, sent);
  await begun.promise;
  return {
    stream: true,
    service: method.parent,
    method,
    header,
    trailer,
    message,
  };
}

function addAll(headers: Headers, metadata: Metadata): void {
  metadataToHeaders(metadata).forEach((value, key) =>
    headers.append(key, value),
  );
}

async function* messages<O extends DescMessage>(
  call: StreamCall,
  method: DescMethodStreaming<DescMessage, O>,
  received: AsyncIterable<Buffer>,
  outgoing: OutgoingCall,
  sent: Promise<InputFailure | undefined> | undefined,
): AsyncGenerator<MessageShape<O>> {
  try {
    for await (const bytes of received) {
      yield decodeAnswer(method.output, bytes);
    }
  } catch (error) {
    const failure = outgoing.signal?.aborted ? undefined : await sent;
    if (failure) {
      throw failure.cause;
    }
    throw isServiceError(error) ? callFailure(error, outgoing) : error;
  } finally {
    call.cancel();
  }
}

/**
 * Everything that came before the call ended, and then its error if it has one. A Readable's own iterator throws as soon as
 * the error is known, and the answers that were not taken yet are lost. It listens from now on: a call may end before
 * anybody asks for its answers.
 */
function receive(call: StreamCall): AsyncIterable<Buffer> {
  let goOn = () => {};
  let end: { readonly error?: Error } | undefined;
  call.on("readable", () => goOn());
  call.on("end", () => {
    end ??= {};
    goOn();
  });
  call.on("error", (error: Error) => {
    end = { error };
    goOn();
  });
  return (async function* () {
    for (;;) {
      // grpc-js types what a Readable yields as any; our deserializer returns the bytes.
      const bytes = call.read() as Buffer | null;
      if (bytes !== null) {
        yield bytes;
      } else if (end) {
        if (end.error) throw end.error;
        return;
      } else {
        await new Promise<void>((resolve) => (goOn = resolve));
      }
    }
  })();
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}
