import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readLocalConfig } from "../../../deploy/local/config.ts";

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
    OTEL_TRACES_SAMPLER_ARG: "2",
    WEFT_DEVELOPMENT_ISSUER: "off",
    WEFT_ISSUERS_FILE: "",
  });

  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^the environment is not valid: WEFT_KAFKA_BROKERS: .*; WEFT_REDIS_URL: .*; OTEL_TRACES_SAMPLER_ARG: .*<=1; WEFT_DEVELOPMENT_ISSUER: without it WEFT_ISSUERS_FILE has to name whose tokens are taken\n$/,
  );
});

test.each([
  [{}, 1],
  [{ OTEL_TRACES_SAMPLER_ARG: "0.1" }, 1],
  [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio" }, 1],
  [
    {
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.1",
    },
    0.1,
  ],
])("%j traces a share of %d, as OpenTelemetry says", (environment, share) => {
  expect(readLocalConfig(environment).tracedShare).toBe(share);
});

test("an empty variable is one that is not set", () => {
  const config = readLocalConfig({
    WEFT_ISSUERS_FILE: "",
    WEFT_RATE_LIMITS_FILE: "",
    WEFT_CORS_ORIGINS: "",
  });

  expect(config).toEqual(readLocalConfig({}));
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

test("a start that would have no issuer for its demo is refused", async () => {
  const { code, stdout, stderr } = await start(["--once"], {
    WEFT_ISSUERS_FILE: "issuers.yaml",
    WEFT_DEVELOPMENT_ISSUER: "off",
  });

  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "the environment is not valid: WEFT_DEVELOPMENT_ISSUER: the demo and the tokens of npm start are the development issuer's; off is for containers\n",
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
