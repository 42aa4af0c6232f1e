import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { inputForbidden, outputForbidden } from "../domain/sort-refusals.ts";
import type { PlannedInput, PlannedOutput } from "../domain/sort-plan.ts";

/** Where jobs may read and write: what the configuration names, and nothing else. */
export interface Places {
  /** Folders of the server by name. */
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

/**
 * The machine's path of a file to read. A link that leads out of its folder is refused, wherever in the path it is.
 *
 * @throws DomainError INPUT_FORBIDDEN.
 */
export async function readPath(
  places: Places,
  field: string,
  folder: string,
  path: string,
): Promise<string> {
  const root = places.readFolders.get(folder);
  if (root === undefined) {
    throw inputForbidden(field, `no folder ${folder} may be read`);
  }
  const wanted = join(root, path);
  // A file that is not there is the engine's to tell of, as INPUT_MISSING.
  const real = await realpath(wanted).catch(() => wanted);
  if (!isInside(await realpath(root).catch(() => root), real)) {
    throw inputForbidden(field, `${folder}/${path} leads out of its folder`);
  }
  return real;
}

/**
 * The machine's path of a file to write: its folder has to exist, and to lie where the configuration says, links followed.
 *
 * @throws DomainError OUTPUT_FORBIDDEN.
 */
export async function writePath(
  places: Places,
  folder: string,
  path: string,
): Promise<string> {
  const root = places.writeFolders.get(folder);
  if (root === undefined) {
    throw outputForbidden(`no folder ${folder} may be written to`);
  }
  const wanted = join(root, path);
  const real = await realpath(dirname(wanted)).catch(() => undefined);
  if (real === undefined) {
    throw outputForbidden(`the folder of ${folder}/${path} does not exist`);
  }
  if (!isInside(await realpath(root), real)) {
    throw outputForbidden(`${folder}/${path} leads out of its folder`);
  }
  // The name itself may be a link: renaming onto it replaces the link, and touches nothing outside.
  return join(real, wanted.slice(dirname(wanted).length + 1));
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (!isAbsolute(way) && way.split(sep)[0] !== "..");
}
