import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
} from "@bufbuild/protobuf";
import {
  ConnectError,
  type MethodImpl,
  type ServiceImpl,
} from "@connectrpc/connect";
import type {
  handleUnaryCall as HandleUnary,
  MethodDefinition,
  Server,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { asBuffer, decodeRequest, encodeMessage } from "./grpc-codec.ts";
import { GrpcContext } from "./grpc-context.ts";
import { toGrpcStatus } from "./grpc-status.ts";
import {
  bidiStream,
  clientStream,
  serverStream,
  type StreamLifetime,
} from "./grpc-streams.ts";
import type { OpenCalls } from "./open-calls.ts";

type AnyUnary = MethodImpl<DescMethodUnary>;
type AnyHandler = AnyUnary &
  MethodImpl<DescMethodServerStreaming> &
  MethodImpl<DescMethodClientStreaming> &
  MethodImpl<DescMethodBiDiStreaming>;

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
    ] as AnyHandler | undefined;
    // grpc-js answers UNIMPLEMENTED for a method that has none.
    if (handler) {
      handlers[method.localName] = mounted(method, handler, { draining, open });
    }
  }
  server.addService(definition, handlers);
}

function mounted(
  method: DescMethod,
  handler: AnyHandler,
  lifetime: StreamLifetime,
): UntypedHandleCall {
  switch (method.methodKind) {
    case "unary":
      return unary(method, handler, lifetime.open);
    case "server_streaming":
      return serverStream(method, handler, lifetime);
    case "client_streaming":
      return clientStream(method, handler, lifetime);
    case "bidi_streaming":
      return bidiStream(method, handler, lifetime);
  }
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
        const request = decodeRequest(method.input, call.request);
        const response = await handler(request, context);
        const bytes = encodeMessage(method.output, response);
        context.sendHeaders();
        callback(null, bytes, context.trailers());
      } catch (error) {
        context.sendHeaders();
        callback(toGrpcStatus(ConnectError.from(error), context.trailers()));
      } finally {
        context.end();
        open.end();
      }
    };
    void answer();
  };
}
