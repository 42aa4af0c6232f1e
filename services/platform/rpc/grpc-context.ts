import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  createContextValues,
  type ContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { Metadata, ServerUnaryCall } from "@grpc/grpc-js";
import { TLSSocket } from "node:tls";
import { peerKey } from "./caller.ts";
import { compressAnswers } from "./compress-grpc-answers.ts";
import { deadlineExceeded } from "./deadline.ts";
import { headersToMetadata, metadataToHeaders } from "./grpc-metadata.ts";
import { peerOfNames, peerOfSocket } from "./peer.ts";
import { policyOf } from "./policy.ts";
import { quietSuccess } from "./quiet-success.ts";

/** What grpc-js's four kinds of server calls share. */
export type GrpcServerCall = Pick<
  ServerUnaryCall<Uint8Array, Uint8Array>,
  "metadata" | "getDeadline" | "getPath" | "getAuthContext" | "sendMetadata"
> & { on(event: "cancelled", listener: () => void): unknown };

/**
 * Connect's HandlerContext over a grpc-js call. Headers are made when they are first asked for: six `Headers` a call
 * were a fifth of the CPU of an empty one.
 */
export class GrpcContext implements HandlerContext {
  readonly protocolName = "grpc";
  readonly requestMethod = "POST";
  readonly url: string;
  readonly service: DescService;
  readonly values: ContextValues;
  readonly #call: GrpcServerCall;
  #controller: AbortController | undefined;
  readonly #endsAt: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly method: DescMethod;
  #ended = false;
  #headersSent = false;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;

  constructor(call: GrpcServerCall, method: DescMethod) {
    this.#call = call;
    const inner = innerCall(call);
    if (inner) {
      quietSuccess(inner);
      compressAnswers(inner);
    }
    this.method = method;
    this.service = method.parent;
    this.url = call.getPath();
    this.values = createContextValues().set(peerKey, peerOfCall(call));
    const stated = millisecondsUntil(call.getDeadline());
    const { timeoutMs } = policyOf(method);
    this.#endsAt = performance.now() + Math.min(stated, timeoutMs);
    // A deadline that the client stated is watched by grpc-js, which then says that the call is cancelled.
    this.#timer =
      stated <= timeoutMs
        ? undefined
        : setTimeout(() => this.abort(deadlineExceeded()), timeoutMs);
    call.on("cancelled", () => {
      // grpc-js says so of every call when its stream closes. Aborting one that was answered makes an error with a
      // stack for nobody: 3 us.
      if (this.#ended) {
        return;
      }
      // The client's own deadline ends the stream a moment before our timer fires.
      this.abort(this.timeoutMs() <= 5 ? deadlineExceeded() : undefined);
    });
  }

  /** Made when it is first asked for, like the headers: many handlers never look. */
  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  get requestHeader(): Headers {
    return (this.#requestHeader ??= metadataToHeaders(this.#call.metadata));
  }

  get responseHeader(): Headers {
    return (this.#responseHeader ??= new Headers());
  }

  get responseTrailer(): Headers {
    return (this.#responseTrailer ??= new Headers());
  }

  /** One request header, as `requestHeader.get` has it. */
  header(name: string): string | undefined {
    const values = this.#call.metadata.get(name);
    return values.length === 0 ? undefined : values.join(", ");
  }

  timeoutMs(): number {
    return this.#endsAt - performance.now();
  }

  /** As `signal.throwIfAborted`, without making a signal that nobody asked for. */
  throwIfAborted(): void {
    this.#controller?.signal.throwIfAborted();
  }

  /** Aborts the handler. */
  abort(reason: unknown): void {
    (this.#controller ??= new AbortController()).abort(reason);
  }

  /** Ends the context with its call. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  /** Sends what the handler wrote into `responseHeader`, if it did, and once. */
  sendHeaders(): void {
    if (this.#responseHeader && !this.#headersSent) {
      this.#headersSent = true;
      this.#call.sendMetadata(headersToMetadata(this.#responseHeader));
    }
  }

  /** What the handler wrote into `responseTrailer`, if it did. */
  trailers(): Metadata | undefined {
    return this.#responseTrailer && headersToMetadata(this.#responseTrailer);
  }
}

/**
 * The mTLS peer of a call. grpc-js reads the certificate anew for each call (28 us); the socket below is one for all
 * calls of a connection, so its name is looked up there, and grpc-js is asked only if it should hide the socket one day.
 */
export function peerOfCall(
  call: Pick<GrpcServerCall, "getAuthContext">,
): string | undefined {
  const socket = innerCall(call)?.stream?.session?.socket;
  if (socket instanceof TLSSocket) {
    return peerOfSocket(socket);
  }
  return peerOfNames(call.getAuthContext().sslPeerCertificate?.subjectaltname);
}

type InnerCall = Parameters<typeof quietSuccess>[0] &
  Parameters<typeof compressAnswers>[0] & {
    readonly stream?: { readonly session?: { readonly socket?: unknown } };
  };

/** Not in grpc-js's types: a server call's `call` is the intercepting call, which holds the HTTP/2 stream. */
function innerCall(call: object): InnerCall | undefined {
  return (call as unknown as { call?: InnerCall }).call;
}

function millisecondsUntil(deadline: Date | number): number {
  return (
    (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now()
  );
}
