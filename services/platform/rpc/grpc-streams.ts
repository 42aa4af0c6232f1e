import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { ConnectError, type MethodImpl } from "@connectrpc/connect";
import type {
  handleBidiStreamingCall as HandleBidiStream,
  handleClientStreamingCall as HandleClientStream,
  handleServerStreamingCall as HandleServerStream,
} from "@grpc/grpc-js";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { StreamErrorSchema } from "../../../gen/ts/weft/rest/v1/stream_error_pb.ts";
import { drained } from "./end-streams.ts";
import { decodeRequest, encodeMessage } from "./grpc-codec.ts";
import { GrpcContext, type GrpcServerCall } from "./grpc-context.ts";
import { toGrpcStatus, toStatus } from "./grpc-status.ts";
import { endOfCall } from "./map-error.ts";
import type { OpenCalls } from "./open-calls.ts";

/** What bounds the life of a server's streams. */
export interface StreamLifetime {
  /** Ends the open streams when it aborts. */
  readonly draining: AbortSignal;
  readonly open: OpenCalls;
}

/** A stream of answers to one request. It goes as fast as the client reads. */
export function serverStream(
  method: DescMethod,
  handler: MethodImpl<DescMethodServerStreaming>,
  lifetime: StreamLifetime,
): HandleServerStream<Uint8Array, Uint8Array> {
  return (call) => {
    const context = new GrpcContext(call, method);
    void inCall(context, lifetime, async () => {
      await answerEach(call, context, () =>
        handler(decodeRequest(method.input, call.request), context),
      );
    });
  };
}

/** One answer to a stream of requests. It may come before the last of them, which are then dropped. */
export function clientStream(
  method: DescMethod,
  handler: MethodImpl<DescMethodClientStreaming>,
  lifetime: StreamLifetime,
): HandleClientStream<Uint8Array, Uint8Array> {
  return (call, callback) => {
    const context = new GrpcContext(call, method);
    void inCall(context, lifetime, async () => {
      try {
        const requests = received(call, method.input);
        const response = await handler(requests, context);
        const bytes = encodeMessage(method.output, response);
        context.sendHeaders();
        callback(null, bytes, context.trailers());
      } catch (error) {
        context.sendHeaders();
        callback(toGrpcStatus(ConnectError.from(error), context.trailers()));
      }
    });
  };
}

/** Streams both ways, each at the pace of its reader. */
export function bidiStream(
  method: DescMethod,
  handler: MethodImpl<DescMethodBiDiStreaming>,
  lifetime: StreamLifetime,
): HandleBidiStream<Uint8Array, Uint8Array> {
  return (call) => {
    const context = new GrpcContext(call, method);
    void inCall(context, lifetime, async () => {
      await answerEach(call, context, () =>
        handler(received(call, method.input), context),
      );
    });
  };
}

async function inCall(
  context: GrpcContext,
  { draining, open }: StreamLifetime,
  work: () => Promise<void>,
): Promise<void> {
  open.begin();
  const stop = () => context.abort(drained());
  draining.addEventListener("abort", stop, { once: true });
  try {
    await work();
  } finally {
    draining.removeEventListener("abort", stop);
    context.end();
    open.end();
  }
}

/**
 * The client's messages. grpc-js reads up to 16 of them ahead of the handler, and no more. Leaving the loop early leaves the
 * call alone: its answers still have to go out.
 */
async function* received<Desc extends DescMessage>(
  call: Readable,
  desc: Desc,
): AsyncGenerator<MessageShape<Desc>> {
  for await (const bytes of call.iterator({ destroyOnReturn: false })) {
    // A Readable yields any; our deserializer returns the bytes.
    yield decodeRequest(desc, bytes as Buffer);
  }
}

type WritableCall = Writable &
  GrpcServerCall & { end(trailers: ReturnType<GrpcContext["trailers"]>): void };

async function answerEach(
  call: WritableCall,
  context: GrpcContext,
  handle: () => AsyncIterable<MessageInitShape<DescMessage>>,
): Promise<void> {
  let began = false;
  try {
    for await (const message of handle()) {
      began = true;
      context.sendHeaders();
      const bytes = encodeMessage(context.method.output, message);
      await write(call, bytes, context.signal);
    }
    context.sendHeaders();
    call.end(context.trailers());
  } catch (error) {
    context.sendHeaders();
    const reason = reasonOf(error, context.signal);
    if (began && context.header("x-weft-rest") !== undefined) {
      call.write(inBandError(reason));
    }
    call.emit("error", toGrpcStatus(reason, context.trailers()));
  }
}

/** A wait for a slow client ends without a word of why. */
function reasonOf(error: unknown, signal: AbortSignal): ConnectError {
  return signal.aborted && !(error instanceof ConnectError)
    ? endOfCall(signal)
    : ConnectError.from(error);
}

/** What tells a failure in mid-stream where a stream becomes lines of JSON, which have no trailers. */
function inBandError(error: ConnectError): Uint8Array {
  const told = { error: toStatus(error) };
  return encodeMessage(StreamErrorSchema, told);
}

/** Writes one message and waits while the client is slower than we are. */
async function write(
  call: Writable,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (!call.write(bytes)) {
    await once(call, "drain", { signal });
  }
}
