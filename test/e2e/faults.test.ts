import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const TIMEOUT_MS = 420_000;

/** Between them: killed and restarted services, open locks, dropped connections, a database that stands still. */
const SEEDS = "5,6";

test(
  "orders keep every invariant under faults: a short set of npm run test:faults",
  async () => {
    const faults = spawn(
      process.execPath,
      ["test/faults/run-faults.ts", "--points", "short", "--seed", SEEDS],
      { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], timeout: TIMEOUT_MS },
    );

    const [output, errors] = await Promise.all([
      text(faults.stdout),
      text(faults.stderr),
    ]);

    expect(output, errors).toMatch(
      /^(\d+) of \1 crash points kept every invariant$/m,
    );
    expect(output, errors).toContain("2 of 2 seeds kept every invariant");
  },
  TIMEOUT_MS,
);
