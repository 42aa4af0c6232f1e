import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { readLocalConfig } from "../../deploy/local/config.ts";
import { startMesh } from "../../deploy/local/mesh.ts";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";
import { freePort } from "../../deploy/local/ports.ts";
import { auditMesh } from "./mesh-audit.ts";
import { serveMeshControl } from "./mesh-control.ts";
import type { MeshAddresses } from "./mesh-under-test.ts";

/** A watch tells after so long a silence that it lives; 15 s by default, which would only cost time. */
const SETTINGS = { ORDER_WATCH_HEARTBEAT_MS: "5000" };

/** One mesh for the whole run, stopped after it; its books are audited once more before that. */
export default async function setup(
  project: TestProject,
): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "weft-e2e-"));
  await using started = new AsyncDisposableStack();
  // The logs of a run that puzzles: WEFT_E2E_KEEP=1.
  if (process.env["WEFT_E2E_KEEP"] === "1") console.log(`e2e: ${directory}`);
  else started.defer(() => rm(directory, { recursive: true, force: true }));

  const config = readLocalConfig();
  const mesh = started.use(
    await startMesh({
      directory,
      edgePort: await freePort(),
      config: {
        ...config,
        baseEnvironment: { ...config.baseEnvironment, ...SETTINGS },
      },
    }),
  );
  const control = started.use(await serveMeshControl(mesh));
  const addresses = addressesOf(mesh, control.url);
  project.provide("mesh", addresses);

  const running = started.move();
  return async () => {
    await using _running = running;
    await auditMesh(addresses);
  };
}

function addressesOf(mesh: Mesh, controlUrl: string): MeshAddresses {
  const { edge, issuer, components } = mesh;
  if (!edge || !issuer || !components.jaeger) {
    throw new Error("the e2e tests need the edge, its issuer and Jaeger");
  }
  return {
    edgeUrl: edge.url,
    caFile: mesh.caFile,
    directory: mesh.directory,
    demoTokenFile: issuer.demoTokenFile,
    services: mesh.services,
    paymentProviderUrl: mesh.paymentProviderUrl,
    jaegerQueryUrl: components.jaeger.queryUrl,
    otlpUrl: components.jaeger.otlpUrl,
    controlUrl,
  };
}
