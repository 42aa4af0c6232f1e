import {
  fromBinary,
  type DescMessage,
  type DescMethod,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { TextMapSetter } from "@opentelemetry/api";
import { Code, ConnectError } from "@connectrpc/connect";
import type {
  CallOptions,
  Metadata,
  ServiceError,
  StatusObject,
} from "@grpc/grpc-js";
import { deadlineExceeded } from "./deadline.ts";
import { methodDefinition } from "./grpc-mount.ts";
import { fromGrpcStatus } from "./grpc-status.ts";
import { endOfCall } from "./map-error.ts";
import type { OutgoingCall } from "./outgoing-call.ts";

/**
 * Why a call ended, as its caller sees it. A callee that keeps time itself resets the stream at the deadline, a moment before
 * our own timer: that is its passing, not a cancellation.
 */
export function callFailure(
  error: ServiceError | StatusObject,
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
