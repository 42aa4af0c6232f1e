import { inspect } from "node:util";
import { expect, test } from "vitest";
import {
  addresses,
  ConfigError,
  readConfig,
  secret,
  Secret,
  serviceSettings,
} from "../../../services/platform/runtime/config.ts";

test("reports every fault at once, by variable", () => {
  const env = {
    WEFT_GRPC_PORT: "65536",
    WEFT_CONNECT_PORT: "no",
    WEFT_TLS_CERT: "/nowhere/cert.pem",
  };

  const error = caught(() => readConfig(serviceSettings, env));

  expect(error).toBeInstanceOf(ConfigError);
  for (const name of [
    "WEFT_GRPC_PORT",
    "WEFT_CONNECT_PORT",
    "WEFT_TLS_CA",
    "WEFT_TLS_CERT",
    "WEFT_TLS_KEY",
  ]) {
    expect(String(error)).toContain(`${name}: `);
  }
});

test("does not repeat a secret that breaks its rule", () => {
  const error = caught(() =>
    readConfig({ KEY: secret(16) }, { KEY: "hunter2" }),
  );

  expect(String(error)).toContain("at least 16 characters");
  expect(String(error)).not.toContain("hunter2");
});

test("a secret does not print, and can be read", () => {
  const value = new Secret("hunter2");

  const printed = [String(value), JSON.stringify({ value }), inspect(value)];

  expect(printed.join()).not.toContain("hunter2");
  expect(value.reveal()).toBe("hunter2");
});

test("reads a comma list of addresses", () => {
  const { BROKERS } = readConfig(
    { BROKERS: addresses },
    { BROKERS: "a:1, b:2" },
  );

  expect(BROKERS).toEqual(["a:1", "b:2"]);
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("it should have been refused");
}
