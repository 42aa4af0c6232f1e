import { mkdir, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { inputForbidden, outputForbidden } from "../domain/sort-refusals.ts";
import type { PlannedInput, PlannedOutput } from "../domain/sort-plan.ts";
import { tenantFolder } from "../domain/tenant-folder.ts";

/** Where jobs may read and write: what the configuration names, and nothing else. */
export interface Places {
  /** Folders of the server by name. Of each a tenant has a subfolder of its own, and sees nothing else. */
  readonly readFolders: ReadonlyMap<string, string>;
  readonly writeFolders: ReadonlyMap<string, string>;
  /** `host` or `host:port` that URLs may name; `*` allows all, and with them whatever this machine can reach. */
  readonly urlHosts: readonly string[];
}

/** Refuses a place that the configuration does not name. What lies behind it is looked at when the job runs. */
export function checkPlaces(
  places: Places,
  inputs: readonly PlannedInput[],
  output: PlannedOutput | undefined,
): void {
  for (const [index, input] of inputs.entries()) {
    const field = `job.inputs[${index}]`;
    if (input.kind === "path" && !places.readFolders.has(input.folder)) {
      throw inputForbidden(field, `no folder ${input.folder} may be read`);
    }
    if (input.kind === "url" && !allowsUrl(places, input.url)) {
      throw inputForbidden(
        field,
        `URLs may not name ${new URL(input.url).host} here`,
      );
    }
  }
  if (output?.kind === "path" && !places.writeFolders.has(output.folder)) {
    throw outputForbidden(`no folder ${output.folder} may be written to`);
  }
  if (output?.kind === "url" && !allowsUrl(places, output.url)) {
    throw outputForbidden(`URLs may not name ${new URL(output.url).host} here`);
  }
}

export function allowsUrl({ urlHosts }: Places, url: string): boolean {
  const { host, hostname, username } = new URL(url);
  return (
    username === "" &&
    urlHosts.some((allowed) => ["*", host, hostname].includes(allowed))
  );
}

/** A path in a tenant's own part of a folder. */
export interface TenantPath {
  readonly tenant: string;
  readonly folder: string;
  readonly path: string;
}

/**
 * The machine's path of a file to read. A link that leads out of its tenant's part of the folder is refused, wherever in the
 * path it is.
 *
 * @throws DomainError INPUT_FORBIDDEN.
 */
export async function readPath(
  places: Places,
  field: string,
  { tenant, folder, path }: TenantPath,
): Promise<string> {
  const root = places.readFolders.get(folder);
  if (root === undefined) {
    throw inputForbidden(field, `no folder ${folder} may be read`);
  }
  const realRoot = await realpath(root).catch(() => root);
  const own = join(realRoot, tenantFolder(tenant));
  const wanted = join(own, path);
  // A file that is not there is the engine's to tell of, as INPUT_MISSING.
  const real = await realpath(wanted).catch(() => wanted);
  if (!isInside(own, real)) {
    throw inputForbidden(field, `${folder}/${path} leads out of its folder`);
  }
  return real;
}

/**
 * The machine's path of a file to write: its folder has to exist, and to lie in its tenant's part, links followed. That part
 * is made where it is missing.
 *
 * @throws DomainError OUTPUT_FORBIDDEN.
 */
export async function writePath(
  places: Places,
  { tenant, folder, path }: TenantPath,
): Promise<string> {
  const root = places.writeFolders.get(folder);
  if (root === undefined) {
    throw outputForbidden(`no folder ${folder} may be written to`);
  }
  const own = await makeOwn(root, tenant).catch((cause: unknown) => {
    throw outputForbidden(`${folder} has no place for the tenant`, cause);
  });
  const wanted = join(own, path);
  const real = await realpath(dirname(wanted)).catch(() => undefined);
  if (real === undefined) {
    throw outputForbidden(`the folder of ${folder}/${path} does not exist`);
  }
  if (!isInside(own, real)) {
    throw outputForbidden(`${folder}/${path} leads out of its folder`);
  }
  // The name itself may be a link: renaming onto it replaces the link, and touches nothing outside.
  return join(real, wanted.slice(dirname(wanted).length + 1));
}

async function makeOwn(root: string, tenant: string): Promise<string> {
  const own = join(await realpath(root), tenantFolder(tenant));
  await mkdir(own, { recursive: true });
  return own;
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (!isAbsolute(way) && way.split(sep)[0] !== "..");
}
