import { readFileSync } from "node:fs";
import { z } from "zod";

const restBindingSchema = z.object({
  /** `GET`, `POST`, ... */
  verb: z.string(),
  /** A path template as in the contract, such as `/v1/{name=orders/*}`. */
  pattern: z.string(),
  /** The proto name of the field that is the request's body; `*` for the message. */
  body: z.string().optional(),
  /** The message that the body is; left out where there is none, or one whose JSON is not an object of its fields. */
  bodyType: z.string().optional(),
  /** The JSON name of the field that is the whole response. */
  responseBody: z.string().optional(),
});

const methodRoutesSchema = z.object({
  name: z.string(),
  /** `/weft.order.v1.OrderService/GetOrder` */
  path: z.string(),
  stream: z.enum(["unary", "server", "client", "bidi"]),
  access: z.enum(["PUBLIC", "USER", "SERVICE"]),
  scopes: z.array(z.string()),
  callers: z.array(z.string()),
  rateClass: z.string(),
  timeoutMs: z.number().int().positive(),
  idempotency: z.enum(["IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS", "IDEMPOTENT"]),
  /** Whether whoever calls may send it again by itself. */
  retry: z.enum(["safe", "never"]),
  rest: z.array(restBindingSchema),
});

const serviceRoutesSchema = z.object({
  /** The mesh's name of the service, the last part of its identity `spiffe://weft/<service>`. */
  service: z.string(),
  /** `weft.order.v1.OrderService` */
  name: z.string(),
  methods: z.array(methodRoutesSchema),
});

const routeTableSchema = z.object({ services: z.array(serviceRoutesSchema) });

export type RestBinding = z.infer<typeof restBindingSchema>;
export type MethodRoutes = z.infer<typeof methodRoutesSchema>;
export type ServiceRoutes = z.infer<typeof serviceRoutesSchema>;
/** What the edge has to know of the contracts; `gen/edge/routes.json`. */
export type RouteTable = z.infer<typeof routeTableSchema>;

/** Reads `routes.json`; throws where it is missing or of another shape. */
export function readRouteTable(file: string | URL): RouteTable {
  try {
    return routeTableSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new Error(`${String(file)} is not a route table; run npm run gen`, {
      cause,
    });
  }
}
