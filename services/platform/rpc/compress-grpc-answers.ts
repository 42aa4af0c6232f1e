import { Metadata } from "@grpc/grpc-js";
import { constants, gzipSync } from "node:zlib";

interface AnswersCall {
  /** What the client compresses its messages with. */
  readonly incomingEncoding?: string;
  sendMetadata(metadata: Metadata | null): void;
  serializeMessage(bytes: Uint8Array): Buffer;
}

/** A smaller message goes as it is, as connect-node's servers have it. */
const SMALLEST_BYTES = 1_024;

/** All other calls wait meanwhile: the default takes several times as long. */
const FASTEST = { level: constants.Z_BEST_SPEED };

/**
 * Answers a client in gzip that asks in gzip, which is what gRPC's text on compression wants of a server. grpc-js 1.14.7 reads
 * compressed messages and writes none, and has no option for it, so such a call's own methods are changed.
 */
export function compressAnswers(call: AnswersCall): void {
  if (call.incomingEncoding !== "gzip") {
    return;
  }
  const { sendMetadata, serializeMessage } = call;
  call.sendMetadata = (metadata) => {
    const named = metadata?.clone() ?? new Metadata();
    named.set("grpc-encoding", "gzip");
    sendMetadata.call(call, named);
  };
  call.serializeMessage = (bytes) =>
    bytes.byteLength < SMALLEST_BYTES
      ? serializeMessage.call(call, bytes)
      : compressed(gzipSync(bytes, FASTEST));
}

/** Flag 1 and a length before the message. */
function compressed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(1);
  prefix.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([prefix, message]);
}
