import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponseSchema,
  type RateLimitResponse,
} from "../../../gen/ts/envoy/service/ratelimit/v3/rls_pb.ts";
import type { TlsFiles } from "../../../services/platform/runtime/config.ts";
import type { Logger } from "../../../services/platform/runtime/logger.ts";
import { startRateLimit } from "../../../services/ratelimit/service.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { createMeshTls } from "../../support/mesh-tls.ts";
import { silentLogger } from "../../support/silent-logger.ts";

/** One class for each thing that is tested; `orders-watch` has streams only. */
const METHODS = [
  { name: "orders-read", stream: "unary" },
  { name: "orders-watch", stream: "server_streaming" },
] as const;

export interface LimiterWorld extends AsyncDisposable {
  /** Asks as Envoy does: a descriptor's entries each, `rate_class` among them. */
  ask(
    descriptors: readonly Record<string, string>[],
    hits?: number,
  ): Promise<RateLimitResponse>;
  /** Whether one more request of `orders-read` passes. */
  passes(entries?: Record<string, string>): Promise<boolean>;
  writeRules(text: string): Promise<void>;
  /** Bytes as they are, by any peer. */
  send(peer: string, request: Buffer): Promise<Buffer>;
  /** What a peer of the mesh shows. */
  tls(peer: string): TlsFiles;
  readonly grpcPort: number;
  readonly connectPort: number;
}

/** The whole service in this process, before a Redis that a test may take away. */
export async function startLimiterWorld(options: {
  readonly redisUrl: string | undefined;
  readonly rules: string;
  /** Long, so that a busy machine is not taken for a Redis that is away. */
  readonly redisTimeoutMs?: number;
  readonly env?: Record<string, string>;
  readonly logger?: Logger;
}): Promise<LimiterWorld> {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-limits-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const rulesFile = join(directory, "rate-limits.yaml");
  const classesFile = join(directory, "rate-classes.json");
  await writeFile(rulesFile, options.rules);
  const classes = METHODS.map(({ name, stream }) => ({
    name,
    methods: [{ path: `/${name}`, stream }],
  }));
  await writeFile(classesFile, JSON.stringify({ classes }));
  const tls = started.use(await createMeshTls(["ratelimit", "order"]));
  const files = tls.filesOf("ratelimit");
  const [grpcPort, connectPort] = [await freePort(), await freePort()];

  const stop = new AbortController();
  await startRateLimit({
    env: {
      WEFT_HOST: "127.0.0.1",
      WEFT_GRPC_PORT: String(grpcPort),
      WEFT_CONNECT_PORT: String(connectPort),
      WEFT_TLS_CA: tls.certificates.ca,
      WEFT_TLS_CERT: files.cert,
      WEFT_TLS_KEY: files.key,
      WEFT_PAGE_TOKEN_SECRET: "x".repeat(32),
      RATELIMIT_RULES_FILE: rulesFile,
      RATELIMIT_CLASSES_FILE: classesFile,
      RATELIMIT_REDIS_TIMEOUT_MS: String(options.redisTimeoutMs ?? 1_000),
      ...(options.redisUrl ? { REDIS_URL: options.redisUrl } : {}),
      ...options.env,
    },
    logger: options.logger ?? silentLogger,
    signal: stop.signal,
    onDrain: (_, hook) => started.defer(() => hook(AbortSignal.timeout(200))),
  });
  started.defer(() => stop.abort());

  const clients = new Map<string, Client>();
  started.defer(() => {
    for (const client of clients.values()) client.close();
  });
  const clientOf = (peer: string) => {
    const known = clients.get(peer);
    if (known !== undefined) return known;
    const { ca, key, cert } = tls.of(peer);
    const client = new Client(
      `127.0.0.1:${grpcPort}`,
      credentials.createSsl(ca, key, cert),
      { "grpc.ssl_target_name_override": "localhost" },
    );
    clients.set(peer, client);
    return client;
  };
  const send = (peer: string, request: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      clientOf(peer).makeUnaryRequest(
        "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        request,
        { deadline: Date.now() + 10_000 },
        // Without an error grpc-js hands over the answer.
        (error, bytes) => (error ? reject(error) : resolve(bytes as Buffer)),
      );
    });
  const ask: LimiterWorld["ask"] = async (descriptors, hitsAddend = 0) => {
    const request = create(RateLimitRequestSchema, {
      domain: "test",
      hitsAddend,
      descriptors: descriptors.map((entries) => ({
        entries: Object.entries(entries).map(([key, value]) => ({
          key,
          value,
        })),
      })),
    });
    const bytes = toBinary(RateLimitRequestSchema, request);
    return fromBinary(
      RateLimitResponseSchema,
      await send("edge", Buffer.from(bytes)),
    );
  };
  const running = started.move();
  return {
    ask,
    passes: async (entries = {}) =>
      (await ask([{ rate_class: "orders-read", ...entries }])).overallCode ===
      Code.OK,
    writeRules: (text) => writeFile(rulesFile, text),
    send,
    tls: tls.of,
    grpcPort,
    connectPort,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A file of rules: those of `orders-read`, and one that never refuses for the other class. */
export function rulesText(
  ordersRead: string,
  ordersWatch = "all: { algorithm: fixed-window, limit: 1000000, period: 1h, when_redis_away: open }",
  rest = "",
): string {
  return `
domain: test
default_plan: free
plans: { free: {}, pro: { scale: 2 } }
classes:
  orders-read:
    when_service_away: open
    rules: { ${oneLine(ordersRead)} }
  orders-watch:
    when_service_away: open
    rules: { ${oneLine(ordersWatch)} }
${rest}`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
