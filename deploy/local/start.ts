import { parseArgs } from "node:util";
import { ComponentUnavailable } from "./component.ts";
import { InvalidEnvironment } from "./config.ts";
import { runDemo } from "./demo/run-demo.ts";
import { MeshAlreadyRunning, NotARunsDirectory } from "./mesh-directory.ts";
import { measureMemory } from "./mesh-memory.ts";
import type { Mesh } from "./mesh-handle.ts";
import { startMesh, type MeshOptions } from "./mesh.ts";
import { interruption, type Interruption } from "./start-interruption.ts";
import { describeNextSteps, describeParts, HELP } from "./start-text.ts";

const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

process.exitCode = await main(process.argv.slice(2));

/** `npm start`: the mesh, its demo, then the mesh until Ctrl-C. Returns the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const flags = readFlags(args);
  if (typeof flags === "number") return flags;
  const startedAt = performance.now();
  const say = (line: string) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    console.log(`${seconds.padStart(6)} s  ${line}`);
  };
  using interrupted = interruption(say);
  try {
    await using mesh = await startMesh({
      ...flags.mesh,
      onProgress: say,
      signal: interrupted.signal,
    });
    interrupted.onSecond(mesh.kill);
    say("the mesh is ready");
    return await show(mesh, flags.once, interrupted, say);
  } catch (error) {
    if (interrupted.signal.aborted) return EXIT_INTERRUPTED;
    if (isExpected(error)) console.error(error.message);
    else console.error(error);
    return 1;
  }
}

interface Flags {
  readonly once: boolean;
  readonly mesh: Pick<
    MeshOptions,
    "fresh" | "directory" | "edgePort" | "open" | "spark"
  >;
}

/** The exit status instead, where there is nothing to start. */
function readFlags(args: readonly string[]): Flags | number {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        once: { type: "boolean", default: false },
        fresh: { type: "boolean", default: false },
        open: { type: "boolean", default: false },
        spark: { type: "boolean", default: false },
        directory: { type: "string" },
        "edge-port": { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    const { once, fresh, open, spark, directory, "edge-port": port } = values;
    return {
      once,
      mesh: {
        fresh,
        open,
        spark,
        ...(directory === undefined ? {} : { directory }),
        ...(port === undefined ? {} : { edgePort: portOf(port) }),
      },
    };
  } catch (error) {
    const [reason] = (error as Error).message.split(/\.\s/);
    console.error(`${reason}. Try: npm start -- --help`);
    return EXIT_USAGE;
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new Error(`--edge-port is not a port: ${text}`);
}

async function show(
  mesh: Mesh,
  once: boolean,
  interrupted: Interruption,
  say: (line: string) => void,
): Promise<number> {
  const memory = await measureMemory({ ...mesh.pids(), start: process.pid });
  console.log(describeParts(mesh, memory));
  const status = await runDemo(mesh, interrupted.signal);
  if (once) return status;
  console.log(describeNextSteps(mesh));
  await interrupted.happened;
  say("stopping the mesh (Ctrl-C again kills it)");
  await mesh.stop();
  say("stopped");
  return 0;
}

function isExpected(error: unknown): error is Error {
  return (
    error instanceof ComponentUnavailable ||
    error instanceof MeshAlreadyRunning ||
    error instanceof NotARunsDirectory ||
    error instanceof InvalidEnvironment
  );
}
