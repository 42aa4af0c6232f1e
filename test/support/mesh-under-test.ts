import { readFileSync } from "node:fs";
import { inject } from "vitest";
import type { ServiceAddresses } from "../../deploy/local/mesh-services.ts";
import { meshControl, type MeshControl } from "./mesh-control.ts";

/** Where the mesh of this run is; all plain values, for they cross from vitest's process to its workers. */
export interface MeshAddresses {
  readonly edgeUrl: string;
  readonly caFile: string;
  /** The run's folder. */
  readonly directory: string;
  /** Holds a token of the demo user with every scope. */
  readonly demoTokenFile: string;
  readonly services: ServiceAddresses;
  readonly paymentProviderUrl: string;
  readonly jaegerQueryUrl: string;
  /** Where Jaeger takes spans. */
  readonly otlpUrl: string;
  readonly controlUrl: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    readonly mesh: MeshAddresses;
  }
}

/** The edge as a client sees it: an address, the authority that signed its certificate, and a token to call with. */
export interface EdgeAddress {
  readonly url: string;
  readonly ca: Buffer;
  /** Sent with whatever brings no `authorization` of its own; without it, nothing is. */
  readonly token?: string | undefined;
}

export interface MeshUnderTest {
  /** The run's folder. */
  readonly directory: string;
  readonly edge: EdgeAddress;
  readonly services: ServiceAddresses;
  readonly paymentProviderUrl: string;
  readonly jaegerQueryUrl: string;
  readonly control: MeshControl;
}

/** The one mesh of this run. */
export function meshUnderTest(): MeshUnderTest {
  const mesh = inject("mesh");
  return {
    directory: mesh.directory,
    edge: edgeOf(mesh),
    services: mesh.services,
    paymentProviderUrl: mesh.paymentProviderUrl,
    jaegerQueryUrl: mesh.jaegerQueryUrl,
    control: meshControl(mesh.controlUrl),
  };
}

/** The edge as its demo user sees it. */
export function edgeOf(
  mesh: Pick<MeshAddresses, "edgeUrl" | "caFile" | "demoTokenFile">,
): EdgeAddress {
  return {
    url: mesh.edgeUrl,
    ca: readFileSync(mesh.caFile),
    token: readFileSync(mesh.demoTokenFile, "utf8"),
  };
}
