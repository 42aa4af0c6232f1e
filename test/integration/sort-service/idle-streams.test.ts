import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import type {
  SortStreamRequestSchema,
  SortStreamResponse,
} from "../../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { randomLines, setupSort, type SortWorld } from "./sort-world.ts";

let world: SortWorld;
beforeAll(async () => {
  world = await setupSort({
    settings: { SORT_STREAMS: "2", SORT_STREAM_IDLE_SECONDS: "3" },
  });
}, 600_000);
afterAll(() => world[Symbol.asyncDispose]());

type Ask = MessageInitShape<typeof SortStreamRequestSchema>;

test("ends a silent stream, and gives its slot and its room back", async () => {
  const silent = endOf(silentAfter([options, chunk("b\n")]));
  await eventually("it is open", async () => (await streams()) === 1);

  const busy = await endOf(asksFor("b\na\n"));
  const others = await endOf(asksFor("b\na\n"), "other");
  const end = await silent;
  const left = await streams();
  const next = await endOf(asksFor("b\na\n"));

  expect(busy).toMatchObject({ reason: "STREAMS_BUSY" });
  expect(others).toEqual({ sorted: "a\nb\n" });
  expect(end).toEqual({ code: Code.DeadlineExceeded, reason: "STREAM_IDLE" });
  expect(left).toBe(0);
  expect(next).toEqual({ sorted: "a\nb\n" });
}, 60_000);

test("leaves a slot for others where one tenant opens all that it may", async () => {
  const silent = [1, 2].map(() => endOf(silentAfter([options])));

  const others = await endOf(asksFor("b\na\n"), "other");
  const ends = await Promise.all(silent);

  expect(others).toEqual({ sorted: "a\nb\n" });
  const reasons = ends.map((end) => ("reason" in end ? `${end.reason}` : ""));
  expect(reasons.toSorted()).toEqual(["STREAMS_BUSY", "STREAM_IDLE"]);
}, 60_000);

test("ends a stream that is opened and says nothing at all", async () => {
  expect(await endOf(silentAfter([]))).toEqual({
    code: Code.DeadlineExceeded,
    reason: "STREAM_IDLE",
  });
}, 60_000);

test("gives back what a stream has whose client takes nothing of what is sorted", async () => {
  const lines = randomLines(1_000_000).toString();
  const answers = world.client().sortStream(asksFor(lines));
  const taking = answers[Symbol.asyncIterator]();
  await taking.next();

  await eventually("its folder is gone", async () => (await streams()) === 0);
  const next = await endOf(asksFor("b\na\n"));
  const rest = await ending(taking);

  expect(next).toEqual({ sorted: "a\nb\n" });
  expect(rest).toEqual({ code: Code.DeadlineExceeded, reason: "STREAM_IDLE" });
}, 60_000);

test("waits for a client that is slow and not silent", async () => {
  const lines = Array.from("abcdefghijklmnop", (letter) => `${letter}\n`);
  async function* slow(): AsyncGenerator<Ask> {
    yield options;
    // Longer in all than a stream may be silent, and each pause far shorter, as the machine may be busy.
    for (const line of lines.toReversed()) {
      await pause(250);
      yield chunk(line);
    }
  }

  expect(await endOf(slow())).toEqual({ sorted: lines.join("") });
}, 60_000);

const options: Ask = { message: { case: "options", value: { spec: {} } } };

function chunk(text: string): Ask {
  const value = Uint8Array.from(Buffer.from(text));
  return { message: { case: "chunk", value } };
}

async function* asksFor(text: string): AsyncGenerator<Ask> {
  yield options;
  for (let at = 0; at < text.length; at += 200_000) {
    yield chunk(text.slice(at, at + 200_000));
  }
}

async function* silentAfter(asks: readonly Ask[]): AsyncGenerator<Ask> {
  yield* asks;
  await new Promise(() => undefined);
}

type End = { sorted: string } | { code: Code; reason: string | undefined };

function endOf(asks: AsyncIterable<Ask>, tenant = "acme"): Promise<End> {
  const answers = world.client(tenant).sortStream(asks);
  return ending(answers[Symbol.asyncIterator]());
}

async function ending(answers: AsyncIterator<SortStreamResponse>) {
  let sorted = "";
  try {
    for (;;) {
      const { done, value } = await answers.next();
      if (done) return { sorted };
      if (value.message.case === "chunk") {
        sorted += Buffer.from(value.message.value).toString();
      }
    }
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const [info] = error.findDetails(ErrorInfoSchema);
    return { code: error.code, reason: info?.reason };
  }
}

/** How many streams have a folder. */
async function streams(): Promise<number> {
  const all = join(world.temp, "streams");
  const folders = (await readdir(all)).map((own) => readdir(join(all, own)));
  return (await Promise.all(folders)).flat().length;
}
