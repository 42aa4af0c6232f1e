import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { startJobProcess } from "../../../services/sort/clients/job-process.ts";
import type { WorkOrder } from "../../../services/sort/domain/work-order.ts";
import { eventually } from "../../support/eventually.ts";
import { randomLines } from "./sort-world.ts";

/** Enough for several runs, however little the process takes of its memory for itself. */
const lines = randomLines(2_500_000);

test.each([
  ["none", (bytes: Buffer) => bytes],
  ["gzip", (bytes: Buffer) => gzipSync(bytes, { level: 1 })],
  ["zstd", (bytes: Buffer) => zstdCompressSync(bytes)],
] as const)(
  "refuses to go on with an input by a URL that another one has taken the place of (compression %s)",
  async (_, pack) => {
    const folder = await mkdtemp(join(tmpdir(), "weft-sort-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await using server = await serve(pack(lines));
    const order = orderIn(folder);

    const first = begin(order, server.url);
    await eventually("a run is done", () => hasRun(folder), 20_000);
    first.kill();
    await first.ended;
    server.replace(pack(lines.subarray(0, lines.length - 100)));
    const ended = await begin(order, server.url).ended;

    expect(ended).toMatchObject({
      kind: "failed",
      failure: { reason: "INPUT_CHANGED" },
    });
  },
  60_000,
);

function orderIn(folder: string): WorkOrder {
  return {
    kind: "job",
    mode: "sort",
    order: {
      record: { kind: "lines" },
      keys: [],
      reverse: false,
      stable: false,
      unique: undefined,
      top: undefined,
    },
    folder: join(folder, "job"),
    inputs: [{ kind: "remote", name: "in", compression: "auto" }],
    output: {
      kind: "path",
      name: "out",
      path: join(folder, "out"),
      compression: "none",
    },
    memoryBytes: 260_000_000,
    tempBytes: undefined,
    workers: 2,
  };
}

function begin(order: WorkOrder, url: string) {
  const answer = async () => ({ url, headers: {} });
  const deps = { onProgress() {}, answer, env: {}, silentSeconds: 60 };
  return startJobProcess(deps, order, 120_000);
}

async function hasRun(folder: string): Promise<boolean> {
  const manifest = join(folder, "job", "work", "manifest.jsonl");
  const text = await readFile(manifest, "utf8").catch(() => "");
  return text.includes('"kind":"run"');
}

/** Serves bytes in ranges. Their last tenth never comes, until others have taken their place. */
async function serve(first: Uint8Array) {
  let object = { bytes: first, etag: '"1"', length: 0.9 * first.length };
  const server = createServer(({ headers }, response) => {
    const { bytes, etag, length } = object;
    const [, from = "0", to = "0"] =
      /(\d+)-(\d+)/.exec(headers.range ?? "") ?? [];
    const wanted = bytes.subarray(Number(from), Number(to) + 1);
    const sent = bytes.subarray(Number(from), Math.min(Number(to) + 1, length));
    response.writeHead(206, {
      etag,
      "content-length": wanted.length,
      "content-range": `bytes ${from}-${to}/${bytes.length}`,
    });
    if (sent.length < wanted.length) response.write(sent);
    else response.end(sent);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/in`,
    replace(bytes: Uint8Array) {
      object = { bytes, etag: '"2"', length: bytes.length };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
