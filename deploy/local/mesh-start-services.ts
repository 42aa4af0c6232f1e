import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Certificates } from "./certificates.ts";
import type { LocalConfig } from "./config.ts";
import type { MeshComponents } from "./mesh-components.ts";
import { issuerProcess, type LocalIssuer } from "./mesh-issuer.ts";
import type { StartedParts } from "./mesh-parts.ts";
import {
  ROOT,
  runnable,
  serviceProcess,
  type ServiceAddresses,
  type ServiceName,
} from "./mesh-services.ts";
import { freePort } from "./ports.ts";
import { persistentSecret } from "./secrets.ts";
import type { Supervisor } from "./supervisor.ts";

const PROBE_TIMEOUT_MS = 1_000;

export interface ServicesPlan {
  readonly directory: string;
  readonly config: LocalConfig;
  readonly names: readonly ServiceName[];
  readonly onProgress: (line: string) => void;
  readonly certificates: Certificates;
  readonly addresses: ServiceAddresses;
  readonly components: MeshComponents;
  readonly databaseUrls: Readonly<Record<string, string>>;
  readonly issuer: LocalIssuer | undefined;
}

/**
 * Starts the payment provider and the issuer and, in parallel with them, the services; returns
 * the provider's URL when all are ready, and throws when one can't start.
 */
export async function startServices(
  plan: ServicesPlan,
  supervisor: Supervisor,
  parts: StartedParts,
): Promise<string> {
  const { directory, addresses, components } = plan;
  const providerPort = await freePort();
  const providerUrl = `http://127.0.0.1:${providerPort}`;
  const around = {
    ...plan,
    kafkaBrokers: components.kafka.brokers,
    redisUrl: components.redis?.url,
    otlpUrl: components.jaeger?.otlpUrl,
    paymentProviderUrl: providerUrl,
    objectStore: components.s3,
    sparkRemote: components.spark?.remote,
    pageTokenSecret: await persistentSecret(directory, "page-token"),
    paymentTokenSecret: await persistentSecret(directory, "payment-token"),
    webhookSecret: await persistentSecret(directory, "payment-webhook"),
  };

  async function start(name: string, address: string, begin: Promise<void>) {
    const startedAt = performance.now();
    await begin;
    const seconds = (performance.now() - startedAt) / 1_000;
    parts.add({ name, version: "-", source: "local", address, seconds });
  }

  const { issuer } = plan;
  const issuerService = issuer && (await issuerProcess(issuer, plan));
  const services = runnable(plan.names, components.s3);
  const names = [...(issuer ? ["issuer"] : []), ...services];
  await mkdir(join(directory, "sort", "shared"), { recursive: true });
  plan.onProgress(`starting payment-provider, ${names.join(", ")}`);
  const provider = paymentProvider(plan, providerPort);
  await Promise.all([
    start(
      provider.name,
      `127.0.0.1:${providerPort}`,
      supervisor.start(provider),
    ),
    ...(issuer && issuerService
      ? [start(issuerService.name, issuer.url, supervisor.start(issuerService))]
      : []),
    ...services.map((name) =>
      start(
        name,
        `127.0.0.1:${addresses[name]?.grpcPort} (gRPC), :${addresses[name]?.connectPort} (Connect)`,
        supervisor.start(serviceProcess(name, around)),
      ),
    ),
  ]);
  return providerUrl;
}

function paymentProvider(plan: ServicesPlan, port: number) {
  return {
    name: "payment-provider",
    command: process.execPath,
    args: ["deploy/local/payment-provider/main.ts"],
    cwd: ROOT,
    env: {
      ...plan.config.baseEnvironment,
      PORT: String(port),
      DATA_DIR: join(plan.directory, "payment-provider"),
      LOG_LEVEL: plan.config.logLevel,
      NODE_COMPILE_CACHE: join(plan.config.cacheDirectory, "compile-cache"),
      // It calls the edge, whose certificate is of our own authority.
      WEBHOOK_CA_FILE: plan.certificates.ca,
    },
    probe: async () => {
      const response = await fetch(`http://127.0.0.1:${port}/healthz`, {
        signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      });
      await response.body?.cancel();
      return response.ok;
    },
  };
}

/** Tells the payment provider where its events go: to Payment, through the edge. */
export async function registerWebhooks(
  directory: string,
  providerUrl: string,
  edgeUrl: string,
): Promise<void> {
  const form = new URLSearchParams({
    url: `${edgeUrl}/v1/webhooks/payment-provider`,
    secret: await persistentSecret(directory, "payment-webhook"),
  });
  const response = await fetch(`${providerUrl}/v1/webhook_endpoints`, {
    method: "POST",
    body: form,
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS * 5),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error("the payment provider takes no webhooks");
}
