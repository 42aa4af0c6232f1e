import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type MethodImpl,
  type ServiceImpl,
} from "@connectrpc/connect";
import type {
  handleServerStreamingCall as HandleServerStream,
  handleUnaryCall as HandleUnary,
  MethodDefinition,
  Server,
  ServerWritableStream,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { once } from "node:events";
import { drained } from "./end-streams.ts";
import { GrpcContext } from "./grpc-context.ts";
import { toGrpcStatus } from "./grpc-status.ts";
import type { OpenCalls } from "./open-calls.ts";
import { statusError } from "./status.ts";

type AnyUnary = MethodImpl<DescMethodUnary>;
type AnyServerStream = MethodImpl<DescMethodServerStreaming>;

/**
 * Mounts a wrapped implementation on a grpc-js server. protobuf-es makes no grpc-js stubs, so the definition is read from
 * the service's descriptor. `draining` ends the streams that are open when it aborts.
 */
export function mountGrpc<Desc extends DescService>(
  server: Server,
  service: Desc,
  implementation: ServiceImpl<Desc>,
  draining: AbortSignal,
  open: OpenCalls,
): void {
  const definition: Record<string, MethodDefinition<Uint8Array, Buffer>> = {};
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const method of service.methods) {
    definition[method.localName] = methodDefinition(method);
    // ServiceImpl maps a method's local name to its implementation; the loop loses which one.
    const handler = (implementation as Record<string, unknown>)[
      method.localName
    ];
    handlers[method.localName] =
      method.methodKind === "unary"
        ? unary(method, handler as AnyUnary, open)
        : serverStream(method, handler as AnyServerStream, draining, open);
  }
  server.addService(definition, handlers);
}

/** The description of a method that grpc-js takes. Messages stay bytes here: the mounts and the transport code them. */
export function methodDefinition(
  method: DescMethod,
): MethodDefinition<Uint8Array, Buffer> {
  const bytes = (message: Uint8Array) => asBuffer(message);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream:
      method.methodKind === "client_streaming" ||
      method.methodKind === "bidi_streaming",
    responseStream:
      method.methodKind === "server_streaming" ||
      method.methodKind === "bidi_streaming",
    requestSerialize: bytes,
    requestDeserialize: (buffer) => buffer,
    responseSerialize: bytes,
    responseDeserialize: (buffer) => buffer,
  };
}

/** The same bytes, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function unary(
  method: DescMethod,
  handler: AnyUnary,
  open: OpenCalls,
): HandleUnary<Uint8Array, Uint8Array> {
  return (call, callback) => {
    const context = new GrpcContext(call, method);
    open.begin();
    const answer = async () => {
      try {
        const request = decode(method.input, call.request);
        const response = await handler(request, context);
        const bytes = encode(method.output, response);
        context.sendHeaders();
        callback(null, bytes, context.trailers());
      } catch (error) {
        callback(toGrpcStatus(ConnectError.from(error), context.trailers()));
      } finally {
        context.end();
        open.end();
      }
    };
    void answer();
  };
}

function serverStream(
  method: DescMethod,
  handler: AnyServerStream,
  draining: AbortSignal,
  open: OpenCalls,
): HandleServerStream<Uint8Array, Uint8Array> {
  return (call) => {
    const context = new GrpcContext(call, method);
    open.begin();
    const stop = () => context.abort(drained());
    draining.addEventListener("abort", stop, { once: true });
    const answer = async () => {
      try {
        const request = decode(method.input, call.request);
        let started = false;
        for await (const message of handler(request, context)) {
          if (!started) {
            context.sendHeaders();
            started = true;
          }
          await write(call, encode(method.output, message), context.signal);
        }
        call.end(context.trailers());
      } catch (error) {
        const status = toGrpcStatus(
          ConnectError.from(error),
          context.trailers(),
        );
        call.emit("error", status);
      } finally {
        draining.removeEventListener("abort", stop);
        context.end();
        open.end();
      }
    };
    void answer();
  };
}

/** Writes one message and waits while the client is slower than we are. */
async function write(
  call: ServerWritableStream<Uint8Array, Uint8Array>,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (!call.write(bytes)) {
    await once(call, "drain", { signal });
  }
}

function decode<Desc extends DescMessage>(
  desc: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes);
  } catch (error) {
    throw malformed(desc, error);
  }
}

function encode(
  desc: DescMessage,
  message: MessageInitShape<DescMessage>,
): Uint8Array {
  return toBinary(desc, create(desc, message));
}

function malformed(desc: DescMessage, cause: unknown): ConnectError {
  const why = cause instanceof Error ? cause.message : "unknown";
  return statusError({
    code: Code.InvalidArgument,
    reason: "MALFORMED_REQUEST",
    message: `the request is not a valid ${desc.typeName}: ${why}`,
  });
}
