import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import {
  rateLimitFilters,
  rateLimits,
} from "../../../deploy/edge/rate-limits.ts";
import { readRateLimits } from "../../../deploy/edge/read-rate-limits.ts";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import { edgeRoutes } from "../../../deploy/edge/routes.ts";

const table = readRouteTable(
  new URL("../../../gen/edge/routes.json", import.meta.url),
);
const options = { failClosed: ["orders-write"], anonymous: "anonymous" };

it("asks about every call that reaches a service, on each of its paths", () => {
  const routes = edgeRoutes(table, options) as {
    name: string;
    route?: { rate_limits?: object[] };
  }[];

  const unlimited = routes
    .filter(({ route }) => route !== undefined && !route.rate_limits?.length)
    .map(({ name }) => name);

  // The CORS filter answers it before any limit is asked.
  expect(unlimited).toEqual(["preflight"]);
});

it.each(
  table.services.flatMap(({ methods }) =>
    methods.map((method) => ({ method, path: method.path })),
  ),
)("describes $path by its class, method and caller", ({ method }) => {
  const described = rateLimits(method, options) as {
    rate_limits: { stage: number; actions: object[] }[];
  };

  const [first] = described.rate_limits;
  expect(first?.stage).toBe(method.rateClass === "orders-write" ? 1 : 0);
  expect(first?.actions).toEqual(
    expect.arrayContaining([
      {
        generic_key: {
          descriptor_key: "rate_class",
          descriptor_value: method.rateClass,
        },
      },
      { masked_remote_address: { v6_prefix_mask_len: 64 } },
    ]),
  );
  // A stream tells its end.
  expect(described.rate_limits).toHaveLength(method.stream === "unary" ? 1 : 2);
});

it("asks of the domain that the file of numbers has, and is closed for the classes that it says", async () => {
  const directory = await mkdtemp(join(tmpdir(), "weft-edge-limits-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "rate-limits.yaml");
  await writeFile(
    file,
    `
domain: office
classes:
  orders-read: { when_service_away: open }
  orders-write: { when_service_away: closed }`,
  );

  const read = readRateLimits(file);

  expect(read.failClosed).toEqual(["orders-write"]);
  const filters = JSON.stringify(rateLimitFilters({ ...options, ...read }));
  expect(
    Array.from(filters.matchAll(/"domain":"(\w+)"/g), ([, one]) => one),
  ).toEqual(["office", "office", "office"]);
});
