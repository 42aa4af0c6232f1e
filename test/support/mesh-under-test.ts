import { readFileSync } from "node:fs";
import { inject } from "vitest";
import { meshControl, type MeshControl } from "./mesh-control.ts";

/** Where the mesh of this run is; all plain values, for they cross from vitest's process to its workers. */
export interface MeshAddresses {
  readonly edgeUrl: string;
  readonly caFile: string;
  readonly paymentProviderUrl: string;
  readonly jaegerQueryUrl: string;
  readonly controlUrl: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    readonly mesh: MeshAddresses;
  }
}

/** The edge as a client sees it: an address, and the authority that signed its certificate. */
export interface EdgeAddress {
  readonly url: string;
  readonly ca: Buffer;
}

export interface MeshUnderTest {
  readonly edge: EdgeAddress;
  readonly paymentProviderUrl: string;
  readonly jaegerQueryUrl: string;
  readonly control: MeshControl;
}

/** The one mesh of this run. */
export function meshUnderTest(): MeshUnderTest {
  const mesh = inject("mesh");
  return {
    edge: { url: mesh.edgeUrl, ca: readFileSync(mesh.caFile) },
    paymentProviderUrl: mesh.paymentProviderUrl,
    jaegerQueryUrl: mesh.jaegerQueryUrl,
    control: meshControl(mesh.controlUrl),
  };
}
