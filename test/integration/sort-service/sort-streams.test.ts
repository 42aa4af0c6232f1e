import type { MessageInitShape } from "@bufbuild/protobuf";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Compression,
  type SortResult,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import type {
  SortStreamRequestSchema,
  SortStreamResponse,
} from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { SortSpec_Unique } from "../../../gen/ts/weft/sort/v1/sort_spec_pb.ts";
import { eventually } from "../../support/eventually.ts";
import {
  gnuSort,
  randomLines,
  reasonOf,
  setupSort,
  type SortWorld,
} from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort({
    settings: {
      SORT_STREAMS: "1",
      SORT_STREAM_BYTES: "30000000",
    },
  });
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());

type Ask = MessageInitShape<typeof SortStreamRequestSchema>;
const options = (more = {}): Ask => ({
  message: { case: "options", value: { spec: {}, ...more } },
});

test("sorts what comes in and sends it out, with a summary", async () => {
  const bytes = randomLines(100_000);

  const { sorted, summary } = await collect(
    world.client().sortStream(requests(options(), bytes)),
  );

  expect(sorted.equals(await gnuSort(bytes))).toBe(true);
  expect(summary).toMatchObject({
    recordsIn: 100_000n,
    bytesOut: BigInt(bytes.length),
  });
}, 60_000);

test("reads and writes what is compressed", async () => {
  const bytes = Buffer.concat([randomLines(1_000), randomLines(1_000)]);
  const packed = options({
    spec: { unique: SortSpec_Unique.FIRST },
    inputCompression: Compression.GZIP,
    outputCompression: Compression.GZIP,
  });

  const { sorted } = await collect(
    world.client().sortStream(requests(packed, gzipSync(bytes))),
  );

  expect(gunzipSync(sorted).equals(await gnuSort(bytes, "-u"))).toBe(true);
}, 60_000);

test("answers an empty stream", async () => {
  const { sorted, summary } = await collect(
    world.client().sortStream(requests(options(), Buffer.alloc(0))),
  );

  expect(sorted.length).toBe(0);
  expect(summary?.recordsOut).toBe(0n);
}, 60_000);

test("wants the options first, and once", async () => {
  const chunk: Ask = {
    message: { case: "chunk", value: new Uint8Array([10]) },
  };

  const reasons = [
    await reasonOf(collect(world.client().sortStream(of(chunk)))),
    await reasonOf(
      collect(world.client().sortStream(of(options(), options()))),
    ),
  ];

  expect(reasons).toEqual(["STREAM_OUT_OF_ORDER", "STREAM_OUT_OF_ORDER"]);
}, 60_000);

test("refuses more bytes than a stream may have", async () => {
  const call = collect(
    world
      .client()
      .sortStream(requests(options(), Buffer.alloc(31_000_000, "a\n"))),
  );

  expect(await reasonOf(call)).toBe("STREAM_TOO_LARGE");
}, 60_000);

test("sorts one stream at a time, and cleans up after a client that leaves", async () => {
  const leave = new AbortController();
  const first = world
    .client()
    .sortStream(never(options()), { signal: leave.signal });
  const failing = reasonOf(collect(first));
  await eventually("the first stream is open", async () => {
    return (await openStreams()).length === 1;
  });

  const busy = await reasonOf(
    collect(world.client().sortStream(requests(options(), Buffer.from("a\n")))),
  );
  leave.abort();
  await failing;
  await eventually("its folder is gone", async () => {
    return (await openStreams()).length === 0;
  });
  const { sorted } = await collect(
    world.client().sortStream(requests(options(), Buffer.from("b\na\n"))),
  );

  expect(busy).toBe("STREAMS_BUSY");
  expect(sorted.toString()).toBe("a\nb\n");
}, 60_000);

test("leaves what another process is sorting on the same temp folder alone", async () => {
  const bytes = randomLines(400_000);
  const isStarted = Promise.withResolvers<void>();
  const half = bytes.subarray(0, 8_000_000);
  const rest = bytes.subarray(8_000_000);
  const sorting = collect(
    world
      .client()
      .sortStream(concat(requests(options(), half), isStarted.promise, rest)),
  );
  await eventually("a stream's process has its folder", async () => {
    const [stream] = await openStreams();
    return stream !== undefined && existsSync(join(stream, "work"));
  });

  const other = await world.another();
  isStarted.resolve();
  const { sorted } = await sorting;
  await other.process.terminate();

  expect(sorted.equals(await gnuSort(bytes))).toBe(true);
}, 60_000);

/** The folders of all streams, whichever process they belong to. */
async function openStreams(): Promise<string[]> {
  const all = join(world.temp, "streams");
  const folders = (await readdir(all)).map((name) => join(all, name));
  const streams = folders.map(async (folder) =>
    (await readdir(folder)).map((name) => join(folder, name)),
  );
  return (await Promise.all(streams)).flat();
}

async function collect(answers: AsyncIterable<SortStreamResponse>) {
  const chunks: Uint8Array[] = [];
  let summary: SortResult | undefined;
  for await (const { message } of answers) {
    if (message.case === "chunk") chunks.push(message.value);
    if (message.case === "summary") summary = message.value;
  }
  return { sorted: Buffer.concat(chunks), summary };
}

async function* requests(first: Ask, bytes: Buffer): AsyncGenerator<Ask> {
  yield first;
  yield* chunksOf(bytes);
}

function* chunksOf(bytes: Buffer): Generator<Ask> {
  for (let at = 0; at < bytes.length; at += 100_000) {
    const value = Uint8Array.from(bytes.subarray(at, at + 100_000));
    yield { message: { case: "chunk", value } };
  }
}

async function* concat(
  first: AsyncIterable<Ask>,
  until: Promise<void>,
  rest: Buffer,
): AsyncGenerator<Ask> {
  yield* first;
  await until;
  yield* chunksOf(rest);
}

async function* of(...asks: Ask[]): AsyncGenerator<Ask> {
  yield* asks;
}

async function* never(first: Ask): AsyncGenerator<Ask> {
  yield first;
  await new Promise(() => undefined);
}
