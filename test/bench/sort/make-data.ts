import { closeSync, openSync, writeSync } from "node:fs";

/** A file of records for a measurement; the same name and size always make the same bytes. */
export type DataKind =
  "fixed" | "text" | "numbers" | "presorted" | "duplicates" | "csv" | "ndjson";

type RecordWriter = (target: Buffer, at: number, random: Random) => number;

/** Below a bound, by xorshift: good enough for keys, and quick. */
type Random = (bound: number) => number;

const PIECE = 4 << 20;
const MOST = 1 << 10;

/** Writes about `bytes` of records of a kind. */
export function makeData(kind: DataKind, path: string, bytes: number): void {
  const random = seeded(kind.length * 7919 + kind.charCodeAt(0));
  const write = writerOf(kind);
  const piece = Buffer.alloc(PIECE + MOST);
  const fd = openSync(path, "w");
  let left = bytes;
  try {
    if (kind === "csv") left -= writeSync(fd, "id,name,amount,note\n");
    while (left > 0) {
      let at = 0;
      while (at < Math.min(PIECE, left)) at = write(piece, at, random);
      writeSync(fd, piece, 0, at);
      left -= at;
    }
  } finally {
    closeSync(fd);
  }
}

function seeded(seed: number): Random {
  let state = seed | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

function writerOf(kind: DataKind): RecordWriter {
  const words = makeWords();
  switch (kind) {
    case "fixed":
      return fixedRecord;
    case "text":
      return (target, at, random) => textLine(words, target, at, random);
    case "numbers":
      return (target, at, random) =>
        at + target.write(`${integer(random)}\n`, at, "latin1");
    case "presorted": {
      let next = 0;
      return (target, at, random) => {
        const number = String(next++).padStart(12, "0");
        const word = words[random(words.length)] ?? "";
        return at + target.write(`${number} ${word}\n`, at, "latin1");
      };
    }
    case "duplicates": {
      const lines = Array.from(
        { length: 100 },
        (_, i) => `${words[(i * 131) % words.length]} line number ${i}\n`,
      );
      return (target, at, random) =>
        at + target.write(lines[random(100)] ?? "", at, "latin1");
    }
    case "csv":
      return (target, at, random) => csvRow(words, target, at, random);
    case "ndjson":
      return (target, at, random) => jsonLine(words, target, at, random);
  }
}

/** As sortbenchmark.org's `gensort -a`: ten printable bytes of key, 88 of content, CR LF. */
function fixedRecord(target: Buffer, at: number, random: Random): number {
  for (let i = 0; i < 10; i++) target[at + i] = 32 + random(95);
  target.fill(65 + random(26), at + 10, at + 98);
  target[at + 98] = 13;
  target[at + 99] = 10;
  return at + 100;
}

function textLine(
  words: readonly string[],
  target: Buffer,
  from: number,
  random: Random,
): number {
  let at = from;
  const count = 2 + random(8);
  for (let i = 0; i < count; i++) {
    // The product of two makes some words far more frequent than others.
    const word = Math.floor(
      (random(words.length) * random(words.length)) / words.length,
    );
    if (i > 0) target[at++] = 32;
    at += target.write(words[word] ?? "", at, "latin1");
  }
  target[at] = 10;
  return at + 1;
}

/** Of all sizes from 1 to 19 digits, and of both signs. */
function integer(random: Random): string {
  const digits = 1 + random(19);
  const text = `${1 + random(9)}${String(random(1e9)).padStart(9, "0")}${String(random(1e9)).padStart(9, "0")}`;
  return (random(2) === 0 ? "-" : "") + text.slice(0, digits);
}

function csvRow(
  words: readonly string[],
  target: Buffer,
  at: number,
  random: Random,
): number {
  const pick = () => words[random(words.length)] ?? "";
  const amount = `${random(100_000)}.${String(random(100)).padStart(2, "0")}`;
  const row = `${random(1e9)},${pick()} ${pick()},${amount},${pick()} ${pick()} ${pick()}\n`;
  return at + target.write(row, at, "latin1");
}

function jsonLine(
  words: readonly string[],
  target: Buffer,
  at: number,
  random: Random,
): number {
  const pick = () => words[random(words.length)] ?? "";
  const line = `{"id":${random(1e9)},"user":{"name":"${pick()} ${pick()}","age":${random(90)}},"tags":["${pick()}","${pick()}"],"text":"${pick()} ${pick()}"}\n`;
  return at + target.write(line, at, "latin1");
}

function makeWords(): string[] {
  const random = seeded(4_711);
  return Array.from({ length: 4_096 }, () => {
    const length = 2 + random(9);
    let word = "";
    for (let i = 0; i < length; i++) {
      word += String.fromCharCode(97 + random(26));
    }
    return word;
  });
}
