import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";
import { startMesh } from "../../deploy/local/mesh.ts";
import { freePort } from "../../deploy/local/ports.ts";
import { runDirectory } from "../integration/local/setup.ts";

const root = join(import.meta.dirname, "..", "..");
const commandTimeoutMs = 10 * 60_000;

/** The README's shell blocks with the heading they stand under. The first has the two commands that CI and the demo test run. */
const [installs, ...blocks] = shellBlocks(
  readFileSync(join(root, "README.md"), "utf8"),
);

test("begins with the two commands", () => {
  expect(installs?.script).toMatch(
    /^npm ci && npm start .*\nnpm ci && npm test/,
  );
  expect(blocks.length).toBeGreaterThan(4);
});

/** What a block's last lines must say, by heading. Blocks build on one another, so they run in their order. */
const expected: Readonly<Record<string, readonly RegExp[]>> = {
  "curl: REST": [
    /"sku":"teapot".*"state":"STATE_COMPLETED"/s,
    /("state":"STATE_COMPLETED"[^]*){3}/,
    /"orders":\[.*"sku":"teapot".*"payments":\[.*"INVALID_FIELD"/s,
    /idempotency-replayed: true.*"quantity":3.*"entries":\[.*"balances":\[/s,
  ],
  Tokens: [
    /"orders":\[.*"inventory:read".*"SCOPE_MISSING".*"UNAUTHENTICATED"/s,
  ],
  "Files and sorting": [
    /"state":"STATE_SUCCEEDED".*99999\n99998/s,
    /100000\n99999/,
    // This test's mesh has no Spark: that costs half a gigabyte, and is tested against the service.
    /"SPARK_UNAVAILABLE"/,
  ],
  grpcurl: [/rpc CreateOrder .*PAYMENT_DECLINED/s],
  "Connect, in TypeScript": [/^orders\/\S+ \d+n? EUR$/m],
  Python: [/^orders\/\S+ STATE_COMPLETED$/m],
  Rotation: [/issued anew: .*order.*trusted no more.*signs with/s],
  Go: [/"last":"STATE_COMPLETED"/],
  "The reference": [/"openapi": "3\.1\.0"/],
  // Nothing is dead and nothing is stuck.
  Operators: [/^\{\}\{\}$/],
  "Rate limits": [
    /ratelimit: "orders-read\/\w+";r=\d+.*"rule":"orders-read\/subject"/s,
  ],
  "The trace": [/send weft\.order\.v1.*OrderService\/CreateOrder/s],
};

test(
  "every command of the tour works as pasted",
  async () => {
    await using directory = await runDirectory();
    await using mesh = await startMesh({
      directory: directory.path,
      edgePort: await freePort(),
    });
    const seen = new Map<string, number>();
    for (const { heading, script } of blocks) {
      const index = seen.get(heading) ?? 0;
      seen.set(heading, index + 1);
      const wanted = expected[heading]?.[index];
      if (!wanted) throw new Error(`nothing is expected of: ${script}`);
      if (heading === "The trace") {
        // Spans are on their way for half a second after the calls.
        await expect
          .poll(() => paste(script, mesh), { timeout: 15_000 })
          .toMatch(wanted);
      } else {
        expect(await paste(script, mesh), script).toMatch(wanted);
      }
    }
  },
  commandTimeoutMs,
);

interface Block {
  readonly heading: string;
  readonly script: string;
}

function shellBlocks(markdown: string): Block[] {
  const found: Block[] = [];
  let heading = "";
  for (const match of markdown.matchAll(
    /^#+ (.+)$|^```sh\n([\s\S]*?)^```$/gm,
  )) {
    if (match[2] === undefined) heading = match[1] ?? "";
    else found.push({ heading, script: match[2] });
  }
  return found;
}

/** Runs a block in the project's root, against this test's mesh instead of the one at the documented port. */
async function paste(script: string, mesh: Mesh): Promise<string> {
  const here = script
    .replaceAll("localhost:8443", new URL(mesh.edge?.url ?? "").host)
    .replaceAll(".weft/", `${mesh.directory}/`)
    .replaceAll("rotate -- ", `rotate -- --directory ${mesh.directory} `)
    .replaceAll("token -- ", `token -- --directory ${mesh.directory} `);
  const { stdout } = await promisify(execFile)(
    "bash",
    ["-euo", "pipefail", "-c", here],
    { cwd: root, timeout: commandTimeoutMs },
  );
  return stdout;
}
