import { rm } from "node:fs/promises";
import { DomainError } from "../../../platform/runtime/errors.ts";
import { sortError } from "../sort-error.ts";
import type { SortOptions } from "../sort-options.ts";
import type { SortSpec } from "../sort-spec.ts";
import { tempDiskFull } from "./full-disk.ts";
import type { Manifest } from "./manifest.ts";
import { dropOutput } from "./output.ts";

/** After these there is nothing to go on from: the input or the request itself is at fault. */
const FINAL: ReadonlySet<string> = new Set([
  "SPEC_INVALID",
  "INPUT_MISSING",
  "INPUT_FORBIDDEN",
  "INPUT_CHANGED",
  "INPUT_UNREADABLE",
  "INPUT_TRUNCATED",
  "INPUT_MALFORMED",
  "KEY_ABSENT",
  "RECORD_TOO_LONG",
  "OUTPUT_FORBIDDEN",
  "RUN_CORRUPT",
  "CHECKSUM_DIFFERS",
]);

/** Turns whatever ended a sort into an error of ours, and removes what no later sort can use. */
export async function explainFailure(
  spec: SortSpec,
  options: SortOptions,
  manifest: Manifest,
  error: unknown,
): Promise<unknown> {
  const explained = options.signal?.aborted
    ? sortError("CANCELLED", "the sort was cancelled", { cause: error })
    : explain(spec, error);
  const [job] = manifest.lines;
  const isFinal =
    explained instanceof DomainError && FINAL.has(explained.reason);
  // Another sort's folder is not ours to remove.
  const isForeign =
    explained instanceof DomainError && explained.field === "jobFolder";
  const isUseless = isFinal || options.discardOnFailure === true;
  if (isUseless && !isForeign) {
    if (job?.kind === "job") await dropOutput(spec.output, job.id);
    await rm(options.jobFolder, { recursive: true, force: true });
  }
  return explained;
}

function explain(spec: SortSpec, error: unknown): unknown {
  if (error instanceof DomainError) return changedInput(spec, error) ?? error;
  const code = error instanceof Error && "code" in error ? error.code : "";
  return code === "ENOENT"
    ? missing(spec, error)
    : (tempDiskFull(error) ?? error);
}

/** A run that stays in its input is spoilt by whoever writes to that. */
function changedInput(
  spec: SortSpec,
  error: DomainError,
): DomainError | undefined {
  if (error.reason !== "RUN_CORRUPT") return undefined;
  const input = spec.inputs.find(
    (each) => each.kind === "file" && each.path === error.metadata["run"],
  );
  if (input?.kind !== "file") return undefined;
  return sortError(
    "INPUT_CHANGED",
    `${input.path} was changed while it was sorted`,
    { cause: error, metadata: { input: input.path } },
  );
}

function missing(spec: SortSpec, error: unknown): unknown {
  const text = String(error);
  const input = spec.inputs.find(
    (each) => each.kind === "file" && text.includes(each.path),
  );
  if (input?.kind !== "file") return error;
  return sortError(
    "INPUT_CHANGED",
    `${input.path} was removed while it was sorted`,
    { cause: error, metadata: { input: input.path } },
  );
}
