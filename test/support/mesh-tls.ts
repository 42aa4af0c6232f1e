import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CertificateFiles } from "../../deploy/local/certificate-files.ts";
import {
  ensureCertificates,
  type Certificates,
} from "../../deploy/local/certificates.ts";
import type { TlsFiles } from "../../services/platform/runtime/tls-files.ts";

export interface MeshTls extends AsyncDisposable {
  readonly certificates: Certificates;
  /** What the service, or `edge`, shows and trusts. */
  of(name: string): TlsFiles;
  /** The same as paths of PEM files. */
  filesOf(name: string): CertificateFiles;
}

/** A mesh's authority and a certificate for each name, in a folder that goes when it is disposed of. */
export async function createMeshTls(
  services: readonly string[],
): Promise<MeshTls> {
  const folder = await mkdtemp(join(tmpdir(), "weft-tls-"));
  const certificates = await ensureCertificates(folder, services);
  const ca = await readFile(certificates.ca);
  const filesOf = (name: string) =>
    name === "edge" ? certificates.edgeMesh : certificates.services[name];
  const pems = new Map<string, TlsFiles>();
  for (const name of ["edge", ...services]) {
    const files = filesOf(name);
    if (!files) throw new Error(`no certificate was made for ${name}`);
    pems.set(name, {
      ca,
      cert: await readFile(files.cert),
      key: await readFile(files.key),
    });
  }
  return {
    certificates,
    of: (name) => required(pems.get(name), name),
    filesOf: (name) => required(filesOf(name), name),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`no certificate of ${name}`);
  return value;
}
