import { expect, it } from "vitest";
import { rateLimits } from "../../../deploy/edge/rate-limits.ts";
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
      { remote_address: {} },
    ]),
  );
  // A stream tells its end.
  expect(described.rate_limits).toHaveLength(method.stream === "unary" ? 1 : 2);
});
