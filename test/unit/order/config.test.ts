import { expect, test } from "vitest";
import { readOrderConfig } from "../../../services/order/config.ts";
import { ConfigError } from "../../../services/platform/runtime/config.ts";

/** All that has to be set. */
const env = {
  WEFT_TLS_CA: import.meta.filename,
  WEFT_TLS_CERT: import.meta.filename,
  WEFT_TLS_KEY: import.meta.filename,
  WEFT_PAGE_TOKEN_SECRET: "a secret of 32 characters at least",
  DATABASE_URL: "postgres://localhost/weft",
  KAFKA_BROKERS: "localhost:9092",
  INVENTORY_ADDRESS: "localhost:1",
  PAYMENT_ADDRESS: "localhost:2",
};

test("refuses to choreograph orders that name no mode without a secret to seal their tokens by", () => {
  const read = () =>
    readOrderConfig({ ...env, ORDER_COORDINATION: "choreographed" });

  expect(read).toThrow(ConfigError);
  expect(read).toThrow(/ORDER_COORDINATION.*PAYMENT_TOKEN_SECRET/);
});

test.each(["orchestrated", "two_phase_commit"])(
  "needs no secret to seal tokens by where orders are %s",
  (coordination) => {
    const config = readOrderConfig({
      ...env,
      ORDER_COORDINATION: coordination,
    });

    expect(config.ORDER_COORDINATION).toBe(coordination);
  },
);
