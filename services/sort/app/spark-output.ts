import {
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { OutputPart } from "../domain/sort-job.ts";
import { syncPath } from "../engine/job/sync-path.ts";

/** What lies beside the parts of a whole output. */
const manifestName = "_manifest.json";

/** An output's own word of what it is. */
export interface Manifest {
  /** `sortJobs/{sort_job}` */
  readonly job: string;
  readonly records: number;
  readonly bytes: number;
  readonly checksum: string;
  readonly recordsRead: number;
  /** In the order in which they make the sorted bytes. */
  readonly parts: readonly OutputPart[];
}

/** The manifest of an output that is whole; undefined where there is none. */
export async function readManifest(
  folder: string,
): Promise<Manifest | undefined> {
  const text = await readFile(join(folder, manifestName), "utf8").catch(
    () => undefined,
  );
  return text === undefined ? undefined : manifest.parse(JSON.parse(text));
}

/** The one file that Spark has counted into. */
export async function readCounts(folder: string): Promise<string> {
  const names = await readdir(folder);
  const files = names.filter((name) => name.startsWith("part-"));
  const texts = files.map((name) => readFile(join(folder, name), "utf8"));
  return (await Promise.all(texts)).join("");
}

/**
 * The parts of an output in their order, as they lie there, with what was counted in each. A part that is empty was not
 * counted.
 *
 * @throws DomainError CHECKSUM_DIFFERS where a part is not as long as what was counted in it.
 */
export async function partsIn(
  folder: string,
  counted: readonly OutputPart[],
): Promise<OutputPart[]> {
  const known = new Map(counted.map((part) => [part.name, part]));
  const names = (await readdir(folder)).filter((name) =>
    name.startsWith("part-"),
  );
  const parts: OutputPart[] = [];
  for (const name of names.toSorted(byPartNumber)) {
    const { size } = await stat(join(folder, name));
    const { bytes, records, checksum } = known.get(name) ?? nothing;
    if (size !== bytes) {
      throw differs(`${name} has ${size} bytes, and ${bytes} were counted`);
    }
    parts.push({ name, bytes, records, checksum });
  }
  return parts;
}

/** Gives an output that is whole its name, once it is on the disk. @throws DomainError OUTPUT_FAILED where something has it. */
export async function publishOutput(
  aside: string,
  path: string,
  stated: Manifest,
): Promise<void> {
  // Hadoop's own checksums of local files tell nothing that the manifest does not.
  for (const name of await readdir(aside)) {
    if (/^\..*\.crc$/.test(name)) await rm(join(aside, name), { force: true });
  }
  await writeFile(join(aside, manifestName), JSON.stringify(stated, null, 2), {
    flush: true,
  });
  for (const { name } of stated.parts) await syncPath(join(aside, name));
  await syncPath(aside);
  try {
    await rename(aside, path);
  } catch (cause) {
    throw outputTaken(cause);
  }
  await syncPath(dirname(path));
}

export function outputTaken(cause?: unknown): DomainError {
  return new DomainError({
    code: "failed_precondition",
    reason: "OUTPUT_FAILED",
    message: "output: something of that name is there, or it can't be made",
    metadata: { field: "job.output" },
    cause,
  });
}

export function differs(why: string): DomainError {
  return new DomainError({
    code: "internal",
    reason: "CHECKSUM_DIFFERS",
    message: why,
  });
}

/** `part-00012-...-c001.txt`: more than five digits sort behind fewer. */
function byPartNumber(one: string, other: string): number {
  const [part, file] = numbersOf(one);
  const [otherPart, otherFile] = numbersOf(other);
  return part - otherPart || file - otherFile;
}

function numbersOf(name: string): [number, number] {
  const [, part = "0"] = /^part-(\d+)/.exec(name) ?? [];
  const [, file = "0"] = /-c(\d+)(\.[^/]*)?$/.exec(name) ?? [];
  return [Number(part), Number(file)];
}

const nothing = { bytes: 0, records: 0, checksum: "0" };

const totals = {
  records: z.number(),
  bytes: z.number(),
  checksum: z.string(),
};
const manifest = z.object({
  job: z.string(),
  recordsRead: z.number(),
  ...totals,
  parts: z.array(z.object({ name: z.string(), ...totals })),
});
