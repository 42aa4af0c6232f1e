import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { z } from "zod";
import { toIssuer } from "../../../deploy/edge/issuer.ts";
import {
  renderBootstrap,
  type BootstrapOptions,
} from "../../../deploy/edge/render-bootstrap.ts";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import { installEnvoy } from "../../../deploy/local/components/envoy.ts";

const table = readRouteTable(
  new URL("../../../gen/edge/routes.json", import.meta.url),
);
const methods = table.services.flatMap((service) =>
  service.methods.map((method) => ({ service: service.service, method })),
);
const reachable = methods.filter(({ method }) => method.access !== "SERVICE");
const internal = methods.filter(({ method }) => method.access === "SERVICE");

const issuer = toIssuer({
  name: "acme",
  issuer: "https://login.acme.example",
  jwksUrl: "https://login.acme.example/keys",
  audiences: ["weft"],
});

function setup(overrides: Partial<BootstrapOptions> = {}): BootstrapOptions {
  const local = (port: number) => ({ host: "127.0.0.1", port });
  const names = table.services.map(({ service }) => service);
  return {
    host: "127.0.0.1",
    edgePort: 8443,
    adminPort: 9901,
    tls: {
      ca: "ca",
      meshCert: "mesh",
      meshKey: "mesh-key",
      publicCert: "public",
      publicKey: "public-key",
    },
    upstreams: Object.fromEntries(
      names.map((name) => [name, { grpc: local(1), connect: local(2) }]),
    ),
    rateLimits: { failClosed: ["orders-write"] },
    otlp: local(4317),
    otlpLogs: { host: "collector.example", port: 4317 },
    issuers: [issuer],
    ...overrides,
  };
}

const matchSchema = z.object({
  path: z.string().optional(),
  safe_regex: z.object({ regex: z.string() }).optional(),
});
const routeSchema = z.object({
  name: z.string(),
  match: matchSchema,
  route: z
    .object({
      cluster: z.string(),
      timeout: z.string(),
      max_stream_duration: z.object({
        max_stream_duration: z.string(),
        grpc_timeout_header_max: z.string().optional(),
      }),
      retry_policy: z.object({ retry_on: z.string() }).optional(),
    })
    .optional(),
});

/** The routes of a bootstrap, found by their field, wherever it stands. */
function routesOf(bootstrap: string): z.infer<typeof routeSchema>[] {
  const found: unknown[] = [];
  JSON.parse(bootstrap, (key, value: unknown) => {
    if (key === "virtual_hosts") found.push(value);
    return value;
  });
  return z
    .array(z.array(z.object({ routes: z.array(routeSchema) })))
    .parse(found)
    .flat(2)
    .flatMap(({ routes }) => routes);
}

it.each(reachable)(
  "routes $method.path to both servers of its service, and waits a second longer than the contract's time limit",
  ({ service, method }) => {
    const routes = routesOf(renderBootstrap(setup())).filter(
      ({ match }) => match.path === method.path,
    );

    const limit = `${method.timeoutMs / 1000 + 1}s`;
    expect(routes).toMatchObject([
      {
        route: {
          cluster: `${service}-grpc`,
          timeout: "0s",
          max_stream_duration: {
            max_stream_duration: limit,
            grpc_timeout_header_max: limit,
          },
        },
      },
      {
        route: {
          cluster: `${service}-connect`,
          timeout: "0s",
          max_stream_duration: { max_stream_duration: limit },
        },
      },
    ]);
  },
);

it.each(
  reachable.flatMap(({ method }) =>
    method.rest.map((binding) => ({ method, binding })),
  ),
)("routes $binding.verb $binding.pattern", ({ binding }) => {
  const routes = routesOf(renderBootstrap(setup())).filter(
    ({ name }) => name === `${binding.verb} ${binding.pattern}`,
  );
  const path = binding.pattern
    .replace(/\{\w+=?([^}]*)\}/g, (_, inner: string) => inner || "*")
    .replaceAll("*", "abc");

  const regex = routes[0]?.match.safe_regex?.regex ?? "";
  expect(routes).toHaveLength(1);
  expect(path).toMatch(new RegExp(`^${regex}$`));
});

it("keeps its admin port to this machine, wherever it listens itself", () => {
  const { admin, static_resources } = z
    .object({
      admin: z.unknown(),
      static_resources: z.object({
        listeners: z.array(z.object({ address: z.unknown() })),
      }),
    })
    .parse(JSON.parse(renderBootstrap(setup({ host: "0.0.0.0" }))));
  const at = (address: string, port: number) => ({
    address: { socket_address: { address, port_value: port } },
  });

  expect(static_resources.listeners).toMatchObject([at("0.0.0.0", 8443)]);
  expect(admin).toMatchObject(at("127.0.0.1", 9901));
});

it("sends what was never processed again, and what was lost where the contract calls the method safe", () => {
  const routes = routesOf(renderBootstrap(setup()));

  for (const { method } of reachable) {
    const isSafe =
      method.stream === "unary" && method.idempotency !== "IDEMPOTENCY_UNKNOWN";
    const retryOn = `connect-failure,refused-stream${isSafe ? ",reset" : ""}`;
    const ours = routes.filter(({ match }) => match.path === method.path);
    expect(ours.map(({ route }) => route?.retry_policy?.retry_on)).toEqual([
      retryOn,
      retryOn,
    ]);
  }
});

it("has no route that names a method of services only", () => {
  const routes = JSON.stringify(routesOf(renderBootstrap(setup())));

  expect(internal.length).toBeGreaterThan(0);
  for (const { method } of internal) expect(routes).not.toContain(method.path);
});

it("renders the same text from the same input", () => {
  expect(renderBootstrap(setup())).toBe(renderBootstrap(setup()));
});

it("refuses to render an edge that would be open", () => {
  expect(() => renderBootstrap(setup({ issuers: [] }))).toThrow(
    "needs issuers of tokens, or has to be told to be open",
  );
});

it("refuses to be open and to have issuers at once", () => {
  expect(() => renderBootstrap(setup({ open: true }))).toThrow(
    "needs issuers of tokens, or has to be told to be open",
  );
});

it.each([
  ["issuer", { name: "other" }],
  ["name", { issuer: "https://other.example" }],
] as const)("refuses two issuers that have the same %s", (key, change) => {
  const other = { ...issuer, ...change };
  const both = [issuer, other].map((each) => `${each.name} (${each.issuer})`);

  expect(() => renderBootstrap(setup({ issuers: [issuer, other] }))).toThrow(
    `the issuers ${both.join(" and ")} have the same ${key}`,
  );
});

it.each(["0.0.0.0", "10.0.0.7", "::", "203.0.113.9", "localhost.example"])(
  "refuses to be open to other machines: %s",
  (host) => {
    const open = setup({ open: true, issuers: [], host });

    expect(() => renderBootstrap(open)).toThrow(
      "an open edge listens on this machine only",
    );
  },
);

it.each(["127.0.0.1", "127.8.8.8", "::1"])(
  "is open on this machine where it is told to be: %s",
  (host) => {
    const open = setup({ open: true, issuers: [], host });

    expect(() => renderBootstrap(open)).not.toThrow();
  },
);

it("refuses to render without an address of each service", () => {
  const { order: _, ...upstreams } = setup().upstreams;

  expect(() => renderBootstrap(setup({ upstreams }))).toThrow(
    "the edge has no address of order",
  );
});

it("renders what Envoy takes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "weft-render-"));
  const certificates = await ensureCertificates(join(folder, "tls"), []);
  const { ca, edgeMesh, edgePublic } = certificates;
  const file = join(folder, "envoy.json");
  const tls = {
    ca,
    meshCert: edgeMesh.cert,
    meshKey: edgeMesh.key,
    publicCert: edgePublic.cert,
    publicKey: edgePublic.key,
  };
  await writeFile(file, renderBootstrap(setup({ tls })));

  const envoy = await installEnvoy();
  const { stdout } = await promisify(execFile)(
    envoy,
    ["--mode", "validate", "--config-path", file],
    { timeout: 30_000 },
  );

  expect(stdout).toContain("OK");
  await rm(folder, { recursive: true });
}, 60_000);
