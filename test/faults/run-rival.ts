import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../deploy/local/ports.ts";
import { CONTROL_VARIABLE } from "./control.ts";
import type { FaultMesh } from "./fault-mesh.ts";

const READY_MS = 30_000;
/** Longer than the lease of a two-phase commit's coordinator. */
const PAUSE_MS = 7_000;

/**
 * Two coordinators at once: a second Order service over the same database takes over what the first has under way while
 * that stands still, and is killed in the midst of it, when the first has come back and goes on as if nothing had happened.
 */
export async function runRival(
  { mesh, control }: FaultMesh,
  forMs: number,
): Promise<void> {
  const { [CONTROL_VARIABLE]: _, ...environment } =
    control.environmentOf("order");
  const rival = fork("services/order/main.ts", {
    env: {
      ...environment,
      WEFT_GRPC_PORT: String(await freePort()),
      WEFT_CONNECT_PORT: String(await freePort()),
      ORDER_POLL_MS: "50",
    },
    stdio: "ignore",
  });
  const ended = once(rival, "exit");
  try {
    const ready = once(rival, "message", {
      signal: AbortSignal.timeout(READY_MS),
    });
    await Promise.race([ready, ended]);
    const first = mesh.pids()["order"];
    if (first !== undefined) signal(first, "SIGSTOP");
    await delay(PAUSE_MS);
    if (first !== undefined) signal(first, "SIGCONT");
    await delay(forMs);
  } finally {
    rival.kill("SIGKILL");
    await ended;
  }
}

/** Another fault of the plan may have ended the process. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
