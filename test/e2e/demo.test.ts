import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { runDemo } from "../../deploy/local/demo/run-demo.ts";
import { startMesh } from "../../deploy/local/mesh.ts";
import { freePort } from "../../deploy/local/ports.ts";
import { isAlive, runDirectory } from "../integration/local/setup.ts";
import { eventually } from "../support/eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const TIMEOUT_MS = 300_000;
/** grpcurl is built by the first command that needs it, which took 120 s where measured. */
const COMMAND_TIMEOUT_MS = 10 * 60_000;

test(
  "npm start -- --once shows every order's end, events and trace, and leaves nothing behind",
  async () => {
    await using directory = await runDirectory();
    const port = await freePort();

    const started = start(directory.path, port);
    const [pids, output] = await Promise.all([
      pidsOf(directory.path),
      text(started.stdout),
    ]);

    expect(await exitOf(started), output).toEqual({ code: 0, signal: null });
    const orders = output.split(/\n(?=\d  (?:REST|gRPC|Connect): )/).slice(1);
    expect(orders.map(summaryOf)).toEqual([
      ["REST", "COMPLETED, €54.75", 7, 7],
      ["gRPC", "COMPLETED, €113.50", 7, 7],
      ["Connect", "COMPLETED, €64.90", 7, 7],
      ["gRPC", "REJECTED, €79.00", 5, 5],
      ["Connect", "REJECTED", 2, 2],
    ]);
    expect(orders[3]).toContain("because  PAYMENT_DECLINED");
    expect(orders[4]).toContain("because  OUT_OF_STOCK");
    for (const order of orders.slice(0, 3)) {
      for (const branch of BRANCHES_OF_A_COMPLETED_ORDER) {
        expect(order).toMatch(branch);
      }
      expect(order).not.toContain("incomplete");
    }
    expect(output).toContain(`https://localhost:${port}/v1/orders`);
    expect(pids.filter(isAlive)).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "every command to try next works as pasted, and the demo repeats",
  async () => {
    await using directory = await runDirectory();
    await using mesh = await startMesh({
      directory: directory.path,
      edgePort: await freePort(),
    });
    const printed: string[] = [];
    const print = (line: string) => void printed.push(line);
    const { signal } = new AbortController();

    expect(await runDemo(mesh, signal, () => undefined)).toBe(0);
    expect(await runDemo(mesh, signal, print), printed.join("\n")).toBe(0);

    const commands = commandsOf(printed.join("\n"));
    const answers: string[] = [];
    for (const command of commands) answers.push(await paste(command));
    expect(answers).toEqual([
      expect.stringContaining('"state":"STATE_COMPLETED"'),
      expect.stringMatching(
        /(.*STATE_COMPLETED.*COORDINATION_\w+.*){3}|(.*COORDINATION_\w+.*STATE_COMPLETED.*){3}/s,
      ),
      expect.stringMatching(/OrderCompleted(.|\n)*"orders":\[/),
      expect.stringMatching(/^\{.*\}\n(.*\n)*.*STATE_COMPLETED/),
      expect.stringContaining("rpc CreateOrder"),
      expect.stringContaining("PAYMENT_DECLINED"),
      expect.stringMatching(/^orders\/\S+ 5 /),
    ]);
  },
  COMMAND_TIMEOUT_MS + TIMEOUT_MS,
);

test(
  "goes on without Jaeger, and says so, and without tokens where the edge is open",
  async () => {
    await using directory = await runDirectory();
    await using mesh = await startMesh({
      directory: directory.path,
      edgePort: await freePort(),
      components: [],
      open: true,
    });
    const printed: string[] = [];

    const status = await runDemo(mesh, new AbortController().signal, (line) =>
      printed.push(line),
    );

    expect(status, printed.join("\n")).toBe(0);
    expect(printed).toContain(
      "There are no traces to show: Jaeger does not run in this mesh.",
    );
    expect(printed.join("\n")).not.toContain("   trace ");
  },
  TIMEOUT_MS,
);

test(
  "Ctrl-C during the demo stops everything within 15 s",
  async () => {
    await using directory = await runDirectory();
    const started = start(directory.path, await freePort());
    await output(started, "The demo: ");
    const pids = await pidsOf(directory.path);

    const interruptedAt = performance.now();
    started.kill("SIGINT");
    const exit = await exitOf(started);

    expect(exit).toEqual({ code: 130, signal: null });
    expect(performance.now() - interruptedAt).toBeLessThan(15_000);
    expect(pids.filter(isAlive)).toEqual([]);
  },
  TIMEOUT_MS,
);

/** From the edge to the services and through Kafka; siblings come in the order of their beginnings, which varies. */
const BRANCHES_OF_A_COMPLETED_ORDER = [
  /^ +edge · .*\n +├─ edge · .*ShouldRateLimit .*\n +└─ order · OrderService\/CreateOrder /m,
  /─ order · to Kafka: OrderPlaced .*\n.* └─ order · from Kafka: OrderPlaced /,
  /─ inventory · InventoryService\/Reserve .*\n.* └─ inventory · to Kafka: StockReserved .*\n.* └─ order · from Kafka: StockReserved /,
  /─ payment · PaymentService\/Authorize .*\n.* └─ payment · to Kafka: PaymentAuthorized .*\n.* └─ order · from Kafka: PaymentAuthorized /,
  /─ inventory · InventoryService\/Confirm .*\n.* └─ inventory · to Kafka: StockConfirmed /,
  /─ payment · PaymentService\/Capture .*\n.* └─ payment · to Kafka: PaymentCaptured /,
  /─ order · to Kafka: OrderCompleted .*\n.* └─ order · from Kafka: OrderCompleted /,
  /\(of \d+ spans folded: \d+ client sides of calls/,
];

function start(directory: string, port: number) {
  const flags = ["--once", "--directory", directory, "--edge-port", `${port}`];
  return spawn(process.execPath, ["deploy/local/start.ts", ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Every process of a mesh, once it is ready; services do not name its directory, so a list of commands would miss them. */
async function pidsOf(directory: string): Promise<number[]> {
  const file = join(directory, "mesh.json");
  await eventually("the mesh is ready", () => existsSync(file), 60_000);
  const mesh: { pids: Record<string, number> } = JSON.parse(
    await readFile(file, "utf8"),
  );
  const pids = Object.values(mesh.pids);
  expect(pids.length).toBeGreaterThan(7);
  return pids;
}

async function exitOf(started: ChildProcess) {
  if (started.exitCode === null && started.signalCode === null) {
    await once(started, "exit");
  }
  return { code: started.exitCode, signal: started.signalCode };
}

/** Resolves when the process has written `wanted`; goes on reading, so that it is never blocked. */
function output(started: ReturnType<typeof start>, wanted: string) {
  return new Promise<void>((resolve, reject) => {
    let written = "";
    started.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      written += chunk;
      if (written.includes(wanted)) resolve();
    });
    started.once("exit", () => reject(new Error(`it ended: ${written}`)));
  });
}

/** The protocol, the state, and how many events are in the timeline and came back from Kafka in the trace. */
function summaryOf(order: string) {
  const protocol = /^\d {2}(\w+): /.exec(order)?.[1];
  const state = /state {4}(.*), answered in/.exec(order)?.[1];
  const events = order.match(/ back after \d+ ms/g)?.length;
  const consumed = order.match(/ from Kafka: /g)?.length;
  return [protocol, state, events, consumed];
}

/** What stands between a title and the next empty line. */
function commandsOf(printed: string): string[] {
  const [, steps = ""] = printed.split("Try next, ");
  return steps
    .split("\n\n")
    .slice(1)
    .map((step) => step.slice(step.indexOf("\n") + 1));
}

/** Runs it in a new shell in the repository's root, as a person would; throws where it fails. */
async function paste(command: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    "bash",
    ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", command],
    { cwd: ROOT, timeout: COMMAND_TIMEOUT_MS },
  );
  return stdout;
}
