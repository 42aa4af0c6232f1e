import { trace } from "@opentelemetry/api";
import {
  createClient,
  type Client,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { freePort } from "../../deploy/local/ports.ts";
import { callerOf } from "../../services/platform/rpc/caller.ts";
import {
  createMeshTransport,
  type MeshTransport,
} from "../../services/platform/rpc/mesh-transport.ts";
import { serve, service } from "../../services/platform/rpc/server.ts";
import { startTelemetry } from "../../services/platform/runtime/telemetry.ts";
import { eventually } from "../support/eventually.ts";
import { findTrace, type Span } from "../support/jaeger.ts";
import { createMeshTls } from "../support/mesh-tls.ts";
import { installPython, makePythonStubs } from "../support/python.ts";
import { silentLogger } from "../support/silent-logger.ts";
import { readGiftContract, type GiftContract } from "./gift-contract.ts";

const requirements = "test/polyglot/python/requirements.txt";
const installTimeoutMs = 10 * 60_000;

/** The two services of the contract: `shop` in this process, on the platform, and `gift` in Python. */
interface World {
  readonly contract: GiftContract;
  /** A transport to the Python service as this service. */
  connect(as: "shop" | "stranger"): MeshTransport;
}

const started = new AsyncDisposableStack();
let world: World;
beforeAll(async () => {
  world = await startWorld();
}, installTimeoutMs);
afterAll(() => started.disposeAsync());

it("calls a service in Python, which calls back, in one trace and one deadline", async () => {
  const gifts = clientOf(world, "shop");
  const { traceId, answer } = await trace
    .getTracer("test")
    .startActiveSpan("wrap a gift", async (span) => {
      const wrapped = await gifts.wrapGift(
        { recipient: "ada" },
        { headers: { "x-weft-tenant": "acme" }, timeoutMs: 9_000 },
      );
      span.end();
      return { traceId: span.spanContext().traceId, answer: wrapped };
    });

  expect(answer.label).toBe("a kettle for ada of acme");
  // Python was told the deadline, not the policy's ten seconds.
  expect(Number(answer.timeLeft.seconds)).toBeLessThan(9);
  await expect
    .poll(
      async () =>
        treeOf(await findTrace(inject("mesh").jaegerQueryUrl, traceId)),
      {
        timeout: 20_000,
      },
    )
    .toEqual([
      "shop internal",
      "  shop client",
      "    gift server",
      "      gift client",
      "        shop server",
    ]);
});

it("tells a caller of the Python service what is wrong, as every service does", async () => {
  const gifts = clientOf(world, "shop");

  const call = gifts.wrapGift(
    { recipient: "" },
    { headers: { "x-weft-tenant": "acme" } },
  );

  await expect(call).rejects.toMatchObject({
    rawMessage: "recipient: must not be empty",
    details: [{ type: "google.rpc.ErrorInfo" }],
  });
});

it("the Python service refuses whom its contract does not name", async () => {
  const gifts = clientOf(world, "stranger");

  const call = gifts.wrapGift({ recipient: "ada" });

  await expect(call).rejects.toThrow("stranger may not call this method");
});

async function startWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "weft-gift-"));
  started.defer(() => rm(folder, { recursive: true, force: true }));
  const contract = await readGiftContract(folder);
  const tls = started.use(await createMeshTls(["shop", "gift", "stranger"]));
  const tracesEndpoint = inject("mesh").otlpUrl;
  started.defer(
    await startTelemetry({
      service: "shop",
      tracesEndpoint,
      metricsEndpoint: undefined,
    }),
  );
  const shop = await serve({
    host: "127.0.0.1",
    grpcPort: 0,
    connectPort: 0,
    tls: tls.of("shop"),
    services: [service(contract.shop, wishes)],
    logger: silentLogger,
  });
  started.defer(() => shop.drain(AbortSignal.timeout(1_000)));

  const port = await freePort();
  const files = tls.filesOf("gift");
  await startPython(folder, contract, {
    GIFT_PORT: String(port),
    SHOP_ADDRESS: `127.0.0.1:${shop.grpcPort}`,
    WEFT_TLS_CA: tls.certificates.ca,
    WEFT_TLS_CERT: files.cert,
    WEFT_TLS_KEY: files.key,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: tracesEndpoint,
  });
  const address = `127.0.0.1:${port}`;
  return {
    contract,
    connect(as) {
      const transport = createMeshTransport({
        address,
        callee: "gift",
        tls: tls.of(as),
        logger: silentLogger,
      });
      started.defer(() => transport.close());
      return transport;
    },
  };
}

async function startPython(
  folder: string,
  contract: GiftContract,
  settings: Record<string, string>,
): Promise<void> {
  const python = await installPython(requirements);
  const stubs = join(folder, "stubs");
  const files = globSync("{weft,buf}/**/*.proto", { cwd: contract.folder });
  await makePythonStubs(python, ["-I", contract.folder], files, stubs);
  const child = spawn(python, ["test/polyglot/python/gift_service.py"], {
    env: { ...process.env, ...settings, PYTHONPATH: stubs },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.defer(() => stop(child));
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await eventually(
    "the Python service is ready",
    () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
      return said.includes("ready");
    },
    60_000,
  );
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
}

// The contract is read at run time, so neither its implementation nor its clients have types of their own.
const wishes = {
  getWish: (_request: unknown, context: HandlerContext) => ({
    wish: "a kettle",
    tenant: callerOf(context).tenant,
  }),
} as unknown as ServiceImpl<GiftContract["shop"]>;

interface Gifts {
  wrapGift(
    request: { recipient: string },
    options?: { headers?: Record<string, string>; timeoutMs?: number },
  ): Promise<{ label: string; timeLeft: { seconds: bigint } }>;
}

function clientOf(
  { contract, connect }: World,
  as: "shop" | "stranger",
): Gifts {
  const client: Client<GiftContract["gifts"]> = createClient(
    contract.gifts,
    connect(as),
  );
  return client as unknown as Gifts;
}

/** A span a line, children below and indented. */
function treeOf(
  spans: readonly Span[],
  parentId?: string,
  indent = "",
): string[] {
  return spans
    .filter((span) => span.parentId === parentId)
    .flatMap((span) => [
      `${indent}${span.service} ${span.kind}`,
      ...treeOf(spans, span.id, `${indent}  `),
    ]);
}
