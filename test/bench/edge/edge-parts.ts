import { z } from "zod";

const named = z.looseObject({ name: z.string().optional() });
const perFilter = z.record(z.string(), z.unknown()).optional();
const routeSchema = z.looseObject({
  name: z.string().optional(),
  route: z.looseObject({ rate_limits: z.unknown().optional() }).optional(),
  typed_per_filter_config: perFilter,
});
const managerSchema = z.looseObject({
  http_filters: z.array(named),
  route_config: z.looseObject({
    virtual_hosts: z.tuple([
      z.looseObject({
        typed_per_filter_config: perFilter,
        routes: z.array(routeSchema),
      }),
    ]),
  }),
});
const bootstrapSchema = z.looseObject({
  static_resources: z.looseObject({
    listeners: z.tuple([
      z.looseObject({
        filter_chains: z.tuple([
          z.looseObject({
            filters: z.tuple([z.looseObject({ typed_config: managerSchema })]),
          }),
        ]),
      }),
    ]),
  }),
});
type Manager = z.infer<typeof managerSchema>;

/** What an edge does, and how its bootstrap looks without it. */
export const EDGE_PARTS: Readonly<Record<string, (edge: Manager) => void>> = {
  "flood limit": without("envoy.filters.http.local_ratelimit"),
  claims: without("weft.claims"),
  "tokens and claims": without("envoy.filters.http.jwt_authn", "weft.claims"),
  "rate-limit question"(edge) {
    without(
      "envoy.filters.http.ratelimit",
      "envoy.filters.http.ratelimit.closed",
    )(edge);
    for (const { route } of routesOf(edge)) delete route?.rate_limits;
  },
  spans: (edge) => void delete edge["tracing"],
  "access log": (edge) => void delete edge["access_log"],
  "security headers": without("weft.security-headers"),
  CORS: without("envoy.filters.http.cors"),
  "trusted headers": (edge) =>
    void delete edge["early_header_mutation_extensions"],
  "small bodies first": without("small-bodies-first"),
  "REST and body filters": without(
    "envoy.filters.http.lua",
    "envoy.filters.http.buffer",
    "weft.strict-json",
    "envoy.filters.http.grpc_json_transcoder",
  ),
  "routes of other methods"(edge) {
    const [host] = edge.route_config.virtual_hosts;
    host.routes = host.routes.filter(({ name }) =>
      name?.startsWith("weft.order.v1.OrderService/GetOrder "),
    );
  },
};

/** The bootstrap of an edge with a part left out. */
export function leaveOut(
  part: (edge: Manager) => void,
  bootstrap: string,
): string {
  const whole = bootstrapSchema.parse(JSON.parse(bootstrap));
  const [{ filter_chains }] = whole.static_resources.listeners;
  part(filter_chains[0].filters[0].typed_config);
  return JSON.stringify(whole);
}

function without(...filters: readonly string[]): (edge: Manager) => void {
  return (edge) => {
    edge.http_filters = edge.http_filters.filter(
      ({ name = "" }) => !filters.includes(name),
    );
    const [host] = edge.route_config.virtual_hosts;
    for (const { typed_per_filter_config: own } of [host, ...host.routes])
      for (const filter of filters) if (own) delete own[filter];
  };
}

function routesOf(edge: Manager) {
  return edge.route_config.virtual_hosts[0].routes;
}
