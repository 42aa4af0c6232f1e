import { open, realpath, stat } from "node:fs/promises";
import { relative } from "node:path";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { SortJob } from "../domain/sort-job.ts";
import { nameOfInput } from "../domain/sort-plan.ts";
import { sparkUnavailable } from "../domain/sort-refusals.ts";
import { readPath, writePath, type Places } from "./places.ts";

export interface SparkPlacesDeps {
  readonly places: Places;
  /** How Spark calls the folders that it shares with this service: a URI by name. */
  readonly sparkFolders: ReadonlyMap<string, string>;
}

/** The inputs of a job as Spark finds them, and what it has to find in them. */
export interface SharedInputs {
  readonly uris: readonly string[];
  readonly size: number;
  /** What all lines come to with a delimiter after each, the last one too. */
  readonly bytes: number;
}

/**
 * Looks at the inputs of a job where they lie. Spark drops a byte order mark and unpacks nothing that is not named so; both
 * are refused here, for its output would differ from ours.
 *
 * @throws DomainError INPUT_MISSING, INPUT_FORBIDDEN, INPUT_UNREADABLE or SPARK_UNAVAILABLE.
 */
export async function lookAtInputs(
  deps: SparkPlacesDeps,
  { tenant, plan }: Pick<SortJob, "tenant" | "plan">,
): Promise<SharedInputs> {
  const uris: string[] = [];
  let size = 0;
  let bytes = 0;
  for (const [index, input] of plan.inputs.entries()) {
    if (input.kind !== "path") throw new Error("Spark reads paths only");
    const field = `inputs[${index}]`;
    const path = await readPath(deps.places, `job.${field}`, {
      tenant,
      ...input,
    });
    const name = nameOfInput(input);
    const found = await lookAt(path).catch((cause: unknown) => {
      throw unreadable(name, cause);
    });
    if (found.oddity !== undefined) {
      throw sparkUnavailable({ field, why: found.oddity });
    }
    const root = deps.places.readFolders.get(input.folder) ?? "";
    uris.push(await uriOf(deps, input.folder, root, path));
    size += found.size;
    bytes += found.size + (found.lacksEnd ? 1 : 0);
  }
  return { uris, size, bytes };
}

/** An output's folder, here and as Spark calls it; `suffix` is added to both. */
export async function sharedOutput(
  deps: SparkPlacesDeps,
  { tenant, plan }: Pick<SortJob, "tenant" | "plan">,
): Promise<{ path: string; uri: string }> {
  const { output } = plan;
  if (output?.kind !== "path") throw new Error("Spark writes folders only");
  const path = await writePath(deps.places, { tenant, ...output });
  const root = deps.places.writeFolders.get(output.folder) ?? "";
  return { path, uri: await uriOf(deps, output.folder, root, path) };
}

async function uriOf(
  { sparkFolders }: SparkPlacesDeps,
  folder: string,
  root: string,
  path: string,
): Promise<string> {
  const base = sparkFolders.get(folder)?.replace(/\/+$/, "");
  if (base === undefined) throw new Error("Spark does not see the folder");
  return `${base}/${relative(await realpath(root), path)}`;
}

async function lookAt(path: string): Promise<{
  size: number;
  lacksEnd: boolean;
  oddity: string | undefined;
}> {
  await using file = await open(path);
  const { size } = await file.stat();
  const head = Buffer.alloc(4);
  await file.read(head, 0, 4, 0);
  const last = Buffer.alloc(1);
  if (size > 0) await file.read(last, 0, 1, size - 1);
  return {
    size,
    lacksEnd: size > 0 && last[0] !== 10,
    oddity: oddityOf(head.toString("hex")),
  };
}

function oddityOf(head: string): string | undefined {
  if (head.startsWith("efbbbf")) {
    return "it begins with a byte order mark, which Spark would drop";
  }
  if (head.startsWith("1f8b") || head.startsWith("28b52ffd")) {
    return "it is compressed, and Spark could not read it in parts";
  }
  return undefined;
}

function unreadable(name: string, cause: unknown): DomainError {
  const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return new DomainError({
    code: "failed_precondition",
    reason: isMissing ? "INPUT_MISSING" : "INPUT_UNREADABLE",
    message: isMissing ? `${name} is not there` : `${name} can't be read`,
    metadata: { input: name },
    cause,
  });
}

/** Whether something has this name. */
export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
