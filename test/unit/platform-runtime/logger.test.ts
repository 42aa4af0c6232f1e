import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** The line that a process writes of an error. */
async function lineOf(error: string): Promise<Record<string, unknown>> {
  const logger = new URL(
    "../../../services/platform/runtime/logger.ts",
    import.meta.url,
  );
  const program = `
    import { createLogger } from ${JSON.stringify(logger.href)};
    const err = ${error};
    createLogger("test", "info").warn({ err }, "it failed");`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "--eval",
    program,
  ]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("tells of an error what it is, and nothing that a library hung on it", async () => {
  const line = await lineOf(
    `Object.assign(new Error("WRONGPASS", { cause: new Error("closed") }), {
      code: "E1",
      command: { name: "hello", args: ["3", "AUTH", "weft", "hunter2"] },
    })`,
  );

  expect(line).toMatchObject({
    msg: "it failed",
    err: { type: "Error", message: "WRONGPASS: closed", code: "E1" },
  });
  expect(JSON.stringify(line)).toMatch(/caused by: Error: closed/);
  expect(JSON.stringify(line)).not.toContain("hunter2");
});

test("tells what was thrown that is no error", async () => {
  expect(await lineOf(`"a text"`)).toMatchObject({ err: "a text" });
});
