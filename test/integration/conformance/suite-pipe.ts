import {
  fromBinary,
  toBinary,
  type DescMessage,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";

/** Messages on standard input, each behind its length as four bytes, the highest first. */
export async function* readMessages(
  desc: DescMessage,
): AsyncGenerator<MessageShape<DescMessage>> {
  let buffer = Buffer.alloc(0);
  // Standard input without an encoding yields Buffers.
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUInt32BE()) {
      const end = 4 + buffer.readUInt32BE();
      yield fromBinary(desc, buffer.subarray(4, end));
      buffer = buffer.subarray(end);
    }
  }
}

/** Writes one message to standard output, behind its length. */
export function writeMessage(desc: DescMessage, message: Message): void {
  const bytes = toBinary(desc, message);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([length, bytes]));
}
