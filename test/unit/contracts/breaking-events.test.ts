import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";

it(
  "refuses a contract that takes away from an event what its readers know",
  { timeout: 120_000 },
  () => {
    const before = mkdtempSync(join(tmpdir(), "weft-breaking-event-"));
    onTestFinished(() => rmSync(before, { recursive: true, force: true }));
    cpSync("proto", join(before, "proto"), { recursive: true });
    cpSync("buf.yaml", join(before, "buf.yaml"));
    symlinkSync(resolve("node_modules"), join(before, "node_modules"));
    const events = join(before, "proto/weft/order/v1/order_events.proto");
    const text = readFileSync(events, "utf8");
    writeFileSync(
      events,
      text.replace(
        "message OrderPlaced {",
        "message OrderPlaced {\n  string gone = 9;",
      ),
    );

    expect(compareWith(before)).toContain(
      'field "9" with name "gone" on message "OrderPlaced"',
    );
    writeFileSync(events, text);
    expect(compareWith(before)).toBe("");
  },
);

/** What `buf breaking`, as `npm run check` calls it, says of our contracts against others. */
function compareWith(folder: string): string {
  try {
    execFileSync(
      "node_modules/.bin/buf",
      ["breaking", "proto", "--against", join(folder, "proto")],
      {
        encoding: "utf8",
        stdio: "pipe",
        timeout: 60_000,
      },
    );
    return "";
  } catch (error) {
    return error instanceof Error && "stdout" in error
      ? String(error.stdout)
      : String(error);
  }
}
