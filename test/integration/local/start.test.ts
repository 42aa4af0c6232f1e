import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const START = join(import.meta.dirname, "../../../deploy/local/start.ts");

test("an unknown flag is refused in one line with status 2", async () => {
  const result = await start(["--onse"]);

  expect(result).toEqual({
    code: 2,
    stdout: "",
    stderr: "Unknown option '--onse'. Try: npm start -- --help\n",
  });
});

test("the help names every flag", async () => {
  const { code, stdout } = await start(["--help"]);

  expect(code).toBe(0);
  for (const flag of ["--once", "--fresh", "--open", "--help"]) {
    expect(stdout).toContain(flag);
  }
});

test("an environment that is not valid is told whole, in one line", async () => {
  const { code, stderr } = await start(["--once"], {
    WEFT_REDIS_URL: "nope",
    WEFT_KAFKA_BROKERS: "no-port",
  });

  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^the environment is not valid: WEFT_KAFKA_BROKERS: .*; WEFT_REDIS_URL: .*\n$/,
  );
});

test("an open edge and issuers of one's own are not taken together", async () => {
  const { code, stdout, stderr } = await start(["--once", "--open"], {
    WEFT_ISSUERS_FILE: "issuers.yaml",
  });

  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "the environment is not valid: WEFT_ISSUERS_FILE: an open edge (--open) takes no tokens; leave one of the two out\n",
  });
});

function start(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [START, ...args],
      { env, timeout: 20_000 },
      (_error, stdout, stderr) =>
        resolve({ code: child.exitCode ?? Number.NaN, stdout, stderr }),
    );
  });
}
