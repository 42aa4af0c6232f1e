import { spawn } from "node:child_process";
import type { Writable } from "node:stream";

/** Starts a guard; its input goes to the child as file descriptor 3. */
export function startGuard(): Writable {
  const guard = spawn("sh", ["-c", GUARD], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  // The guard may be gone when the last line is written to it; that is its task done.
  guard.stdin.on("error", () => undefined);
  return guard.stdin;
}

/** The arguments of `sh` that become the command, once the guard knows of it. */
export function guardedLaunch(
  stopSignal: "TERM" | "INT",
  command: string,
  args: readonly string[],
): string[] {
  return ["-c", LAUNCH, stopSignal, command, ...args];
}

/**
 * Kills the child's process group when this process is gone, however it went:
 * its standard input ends then, also after SIGKILL. The first line is the
 * child's pid, a second one says that the child's end was seen.
 */
const GUARD = `
trap '' HUP INT TERM
read -r pid stop || exit 0
read -r seen && exit 0
kill -s "$stop" "$pid"
i=0
while [ $i -lt 30 ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; i=$((i + 1)); done
kill -s KILL -- "-$pid"
exit 0
`;

/**
 * The child tells the guard its pid itself, before it becomes the command: were
 * it told from here, a SIGKILL between the two lines would leave an orphan.
 */
const LAUNCH = `echo "$$ $0" >&3; exec 3>&-; exec "$@"`;
