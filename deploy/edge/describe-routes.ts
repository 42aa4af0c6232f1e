import type {
  DescFile,
  DescMethod,
  DescService,
  Registry,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { readRestBindings } from "./http-rule.ts";
import { readPolicy } from "./method-policy.ts";
import type { MethodRoutes, RouteTable, ServiceRoutes } from "./route-table.ts";

/** The route table of contracts that have passed `findContractFaults`. Sorted by name, so that it changes only with them. */
export function describeRoutes(
  files: readonly DescFile[],
  registry: Registry,
): RouteTable {
  const services = files
    .flatMap((file) => file.services)
    .toSorted((a, b) => compare(a.typeName, b.typeName))
    .map((service) => describeService(service, registry));
  return { services };
}

function describeService(
  service: DescService,
  registry: Registry,
): ServiceRoutes {
  const methods = service.methods
    .toSorted((a, b) => compare(a.name, b.name))
    .map((method) => describeMethod(method, registry));
  return { service: meshName(service), name: service.typeName, methods };
}

function describeMethod(method: DescMethod, registry: Registry): MethodRoutes {
  const policy = readPolicy(method, registry);
  const access = policy?.access.replace("ACCESS_", "");
  if (policy?.timeout === undefined || !isAccess(access)) {
    throw new Error(`${String(method)} has no complete policy`);
  }
  const stream = STREAM[method.methodKind];
  const safe =
    stream === "unary" && method.idempotency !== Level.IDEMPOTENCY_UNKNOWN;
  return {
    name: method.name,
    path: `/${method.parent.typeName}/${method.name}`,
    stream,
    access,
    scopes: policy.scopes.toSorted(compare),
    callers: policy.callers.toSorted(compare),
    rateClass: policy.rateClass,
    timeoutMs: policy.timeout,
    idempotency: LEVEL[method.idempotency],
    retry: safe ? "safe" : "never",
    rest: readRestBindings(method, registry),
  };
}

/** Areas that run in the process of another: it owns what they are about. */
const HOSTS: Readonly<Record<string, string>> = { operations: "order" };

/** `order` of `weft.order.v1.OrderService`: services of one area run in one process. */
function meshName(service: DescService): string {
  const area = service.typeName.split(".")[1];
  if (area === undefined) throw new Error(`${service.typeName} has no area`);
  return HOSTS[area] ?? area;
}

function isAccess(text: string | undefined): text is MethodRoutes["access"] {
  return text === "PUBLIC" || text === "USER" || text === "SERVICE";
}

/** By code unit: the order must not depend on the machine's locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const STREAM = {
  unary: "unary",
  server_streaming: "server",
  client_streaming: "client",
  bidi_streaming: "bidi",
} as const;

const LEVEL = {
  [Level.IDEMPOTENCY_UNKNOWN]: "IDEMPOTENCY_UNKNOWN",
  [Level.NO_SIDE_EFFECTS]: "NO_SIDE_EFFECTS",
  [Level.IDEMPOTENT]: "IDEMPOTENT",
} as const;
