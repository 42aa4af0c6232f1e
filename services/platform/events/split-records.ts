import type { OutgoingRecord } from "./event-bus.ts";

/**
 * The most that one request holds, and so one event. Kafka takes a batch of 1,048,588 bytes by default, and kafkajs makes one
 * batch of all records that go to one partition: 60 events of 20 kB of one key are refused together, however often they are
 * tried.
 */
export const MAX_BATCH_BYTES = 900_000;
/** What Kafka's format adds at most: lengths, a time and an offset to a record, two lengths to a header. */
const RECORD_BYTES = 40;
const HEADER_BYTES = 10;

/** Splits the records, in their order, so that no part is more than a broker takes; one that is too large by itself is a part of its own. */
export function splitRecords(
  records: readonly OutgoingRecord[],
): readonly (readonly OutgoingRecord[])[] {
  const parts: OutgoingRecord[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = sizeOf(record);
    bytes += size;
    if (bytes > MAX_BATCH_BYTES) {
      parts.push([]);
      bytes = size;
    }
    parts.at(-1)?.push(record);
  }
  return parts;
}

function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_BYTES + Buffer.byteLength(key) + value.byteLength;
  for (const [name, text] of Object.entries(headers)) {
    bytes += HEADER_BYTES + Buffer.byteLength(name) + Buffer.byteLength(text);
  }
  return bytes;
}
