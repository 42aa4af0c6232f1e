import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import type { Service } from "../../../services/sort/worker/parent-link.ts";
import { openRemote } from "../../../services/sort/worker/open-remote.ts";

const bytes = Buffer.from("0123456789".repeat(100_000));
const half = bytes.length / 2;
const whole = `bytes=0-${bytes.length - 1}`;

test("goes on where a body stands still, by another request", async () => {
  const asked: string[] = [];
  await using server = await serve((range) => {
    asked.push(range);
    return range === whole ? half : Infinity;
  });
  const { signal } = new AbortController();
  const input = { kind: "remote", name: "in", compression: "none" } as const;

  const opened = await openRemote(input, 0, server.service, signal, 500);
  if (opened.kind !== "ranges") throw new Error("it is not read in ranges");
  const read: Uint8Array[] = [];
  for await (const piece of opened.read(0, opened.size, signal)) {
    read.push(piece);
  }

  expect(Buffer.concat(read).equals(bytes)).toBe(true);
  // On a machine that stands still itself, one twice.
  expect([...new Set(asked)].slice(0, 2)).toEqual(["bytes=0-3", whole]);
  expect(asked.at(-1)).not.toBe(whole);
});

/** Serves the bytes in ranges, and stands still where one has as many as `most` says. */
async function serve(most: (range: string) => number) {
  const server = createServer((request, response) => {
    const range = request.headers.range ?? "";
    const [, from = "0", to = "0"] = /(\d+)-(\d+)/.exec(range) ?? [];
    const piece = bytes.subarray(Number(from), Number(to) + 1);
    const sent = piece.subarray(0, most(range));
    response.writeHead(206, {
      etag: '"1"',
      "content-length": piece.length,
      "content-range": `bytes ${from}-${to}/${bytes.length}`,
    });
    if (sent.length < piece.length) response.write(sent);
    else response.end(sent);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    service: serviceAt(server),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function serviceAt(server: Server): Service {
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    ask: async () => ({ url: `http://127.0.0.1:${port}/in`, headers: {} }),
    tell() {},
  };
}
