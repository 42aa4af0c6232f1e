import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { statusError } from "./status.ts";

/** Reads a client's message. @throws ConnectError INVALID_ARGUMENT with MALFORMED_REQUEST. */
export function decodeRequest<Desc extends DescMessage>(
  desc: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes);
  } catch (error) {
    throw malformed(desc, error);
  }
}

/** Writes a message, whole or as the fields to make it from. */
export function encodeMessage<Desc extends DescMessage>(
  desc: Desc,
  message: MessageInitShape<Desc>,
): Uint8Array {
  return toBinary(desc, create(desc, message));
}

/** The same bytes, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(desc: DescMessage, cause: unknown): ConnectError {
  const why = cause instanceof Error ? cause.message : "unknown";
  return statusError({
    code: Code.InvalidArgument,
    reason: "MALFORMED_REQUEST",
    message: `the request is not a valid ${desc.typeName}: ${why}`,
  });
}
