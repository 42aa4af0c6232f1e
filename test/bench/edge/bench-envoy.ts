import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toIssuer } from "../../../deploy/edge/issuer.ts";
import {
  renderBootstrap,
  type BootstrapOptions,
} from "../../../deploy/edge/render-bootstrap.ts";
import { startEnvoy } from "../../../deploy/local/components/envoy.ts";
import { freePort } from "../../../deploy/local/ports.ts";
import { absentServices } from "../../integration/edge/edge-world.ts";
import type { MeshTls } from "../../support/mesh-tls.ts";
import { AUDIENCE, type TestIssuer } from "../../support/test-issuer.ts";

export interface EdgePorts {
  readonly edgePort: number;
  readonly adminPort: number;
}

/** Starts an Envoy that ends with `started`. */
export async function startBenchEnvoy(
  started: AsyncDisposableStack,
  bootstrapFor: (ports: EdgePorts) => string,
) {
  const directory = await benchDirectory(started);
  const ports = { edgePort: await freePort(), adminPort: await freePort() };
  const bootstrapFile = join(directory, "envoy.json");
  await writeFile(bootstrapFile, bootstrapFor(ports));
  const envoy = started.use(
    await startEnvoy({ directory, bootstrapFile, ...ports }),
  );
  return { ...ports, pid: envoy.pid };
}

/** The edge as it ships before the services that are there, by mesh name. Without issuers it is open to everybody. */
export function shippedEdge({
  tls,
  services,
  issuers,
  ...options
}: EdgePorts &
  Pick<BootstrapOptions, "otlp" | "tracedShare" | "rateLimits"> & {
    readonly tls: MeshTls;
    readonly services: Readonly<Record<string, { readonly port: number }>>;
    readonly issuers: readonly TestIssuer[];
  }): string {
  const { ca, edgeMesh, edgePublic } = tls.certificates;
  const addresses = Object.entries(services).map(([name, { port }]) => {
    const here = { host: "127.0.0.1", port };
    return [name, { grpc: here, connect: here }];
  });
  return renderBootstrap({
    ...options,
    host: "127.0.0.1",
    tls: {
      ca,
      meshCert: edgeMesh.cert,
      meshKey: edgeMesh.key,
      publicCert: edgePublic.cert,
      publicKey: edgePublic.key,
    },
    upstreams: { ...absentServices(), ...Object.fromEntries(addresses) },
    issuers: issuers.map(({ url, jwksUrl }) =>
      toIssuer({
        name: "bench",
        issuer: url,
        jwksUrl,
        audiences: [AUDIENCE],
      }),
    ),
    open: issuers.length === 0,
  });
}

export async function benchDirectory(
  started: AsyncDisposableStack,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
