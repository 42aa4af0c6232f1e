import type {
  DescMessage,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type UnaryResponse } from "@connectrpc/connect";
import {
  Metadata,
  status,
  type ChannelInterface,
  type Client,
  type experimental,
  type InterceptingListener,
  type StatusObject,
} from "@grpc/grpc-js";
import {
  callFailure,
  decodeAnswer,
  definitionOf,
  traceSetter,
} from "./grpc-call.ts";
import { asBuffer } from "./grpc-codec.ts";
import { metadataToHeaders } from "./grpc-metadata.ts";
import { endOfCall } from "./map-error.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import { observeClientCall, type ObservedCall } from "./rpc-telemetry.ts";

/**
 * Makes one attempt of a unary call on a client's channel.
 *
 * It asks the channel as grpc-js's Client does, without the Client: its interceptors, events and the error with a stack that
 * it makes of every call, in case it fails, are a tenth of a call's CPU, and none is needed here.
 *
 * @throws ConnectError with the callee's details; CANCELLED where our own signal ended it.
 */
export function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: Uint8Array,
  outgoing: OutgoingCall,
): Promise<UnaryResponse<I, O>> {
  const metadata = outgoing.metadata();
  const observed = observeClientCall(method, metadata, traceSetter);
  return new Promise((resolve, reject) => {
    const end = { observed, resolve, reject };
    const attempt = new UnaryAttempt(method, outgoing, end);
    attempt.start(client.getChannel(), metadata, request);
  });
}

/** Who is told how a call ended. */
interface EndOfAttempt<I extends DescMessage, O extends DescMessage> {
  readonly observed: ObservedCall;
  resolve(answer: UnaryResponse<I, O>): void;
  reject(error: unknown): void;
}

class UnaryAttempt<
  I extends DescMessage,
  O extends DescMessage,
> implements InterceptingListener {
  readonly #method: DescMethodUnary<I, O>;
  readonly #outgoing: OutgoingCall;
  #end: EndOfAttempt<I, O> | undefined;
  #call: experimental.CallStream | undefined;
  #cancel: (() => void) | undefined;
  #header: Metadata | undefined;
  #bytes: Buffer | undefined;

  constructor(
    method: DescMethodUnary<I, O>,
    outgoing: OutgoingCall,
    end: EndOfAttempt<I, O>,
  ) {
    this.#method = method;
    this.#outgoing = outgoing;
    this.#end = end;
  }

  start(
    channel: ChannelInterface,
    metadata: Metadata,
    request: Uint8Array,
  ): void {
    const { deadline, signal } = this.#outgoing;
    try {
      if (signal?.aborted) {
        throw endOfCall(signal);
      }
      const { path } = definitionOf(this.#method);
      const call = channel.createCall(path, deadline, null, null, null);
      this.#call = call;
      if (signal) {
        this.#cancel = () => call.cancelWithStatus(status.CANCELLED, "");
        signal.addEventListener("abort", this.#cancel, { once: true });
      }
      call.start(metadata, this);
      call.startRead();
      call.sendMessageWithContext({}, asBuffer(request));
      call.halfClose();
    } catch (error) {
      this.#fail(error);
    }
  }

  onReceiveMetadata(header: Metadata): void {
    this.#header = header;
  }

  onReceiveMessage(bytes: Buffer): void {
    if (this.#bytes) {
      const why = "more than one answer to a unary call";
      this.#call?.cancelWithStatus(status.UNIMPLEMENTED, why);
    }
    this.#bytes = bytes;
  }

  onReceiveStatus(received: StatusObject): void {
    try {
      const answer = this.#answer(received);
      const end = this.#letGo();
      end?.observed.end(undefined);
      end?.resolve(answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #answer(received: StatusObject): UnaryAnswer<I, O> {
    if (received.code !== status.OK) {
      throw callFailure(received, this.#outgoing, this.#header);
    }
    if (!this.#bytes) {
      throw new ConnectError("the call has no answer", Code.Unimplemented);
    }
    const message = decodeAnswer(this.#method.output, this.#bytes);
    return new UnaryAnswer(
      this.#method,
      message,
      this.#header,
      received.metadata,
    );
  }

  #fail(error: unknown): void {
    const end = this.#letGo();
    end?.observed.end(ConnectError.from(error).code);
    end?.reject(error);
  }

  /** V8 may keep what hung on a stream until its next full collection, so an ended call holds nothing. */
  #letGo(): EndOfAttempt<I, O> | undefined {
    if (this.#cancel) {
      this.#outgoing.signal?.removeEventListener("abort", this.#cancel);
    }
    const end = this.#end;
    this.#end = undefined;
    this.#call = undefined;
    this.#cancel = undefined;
    this.#header = undefined;
    this.#bytes = undefined;
    return end;
  }
}

class UnaryAnswer<
  I extends DescMessage,
  O extends DescMessage,
> implements UnaryResponse<I, O> {
  readonly stream = false;
  readonly service: DescMethodUnary<I, O>["parent"];
  readonly method: DescMethodUnary<I, O>;
  readonly message: MessageShape<O>;
  readonly #header: Metadata | undefined;
  readonly #trailer: Metadata;

  constructor(
    method: DescMethodUnary<I, O>,
    message: MessageShape<O>,
    header: Metadata | undefined,
    trailer: Metadata,
  ) {
    this.service = method.parent;
    this.method = method;
    this.message = message;
    this.#header = header;
    this.#trailer = trailer;
  }

  // Few clients look at headers, and making them costs more than the call's own bookkeeping.
  get header(): Headers {
    return metadataToHeaders(this.#header ?? new Metadata());
  }

  get trailer(): Headers {
    return metadataToHeaders(this.#trailer);
  }
}
