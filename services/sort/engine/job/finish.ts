import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { sortError } from "../sort-error.ts";
import type { SortOptions, SortResult } from "../sort-options.ts";
import type { SortSpec } from "../sort-spec.ts";
import type { Job } from "./job.ts";
import type { Manifest } from "./manifest.ts";
import type { MergeTotals } from "./merge-phase.ts";
import { commitOutput, partialPath } from "./output.ts";
import { specHash } from "./spec-hash.ts";

/** Notes that the output is whole, after comparing the checksums where that is wanted. */
export function recordFinish(
  job: Job,
  totals: MergeTotals,
  startedAt: number,
): SortResult {
  const sum = job.runs.reduce((all, { hash }) => all + BigInt(hash), 0n);
  const checksum = BigInt.asUintN(64, sum);
  if (job.plan.order.hashing && checksum !== totals.hash) {
    throw sortError(
      "CHECKSUM_DIFFERS",
      "the records put out are not the records read",
    );
  }
  const { bytesRead, records, tempBytesWritten } = job.control.read();
  const result: SortResult = {
    records,
    bytesIn: bytesRead,
    bytesOut: totals.bytes,
    recordsOut: totals.records,
    runs: job.runs.length,
    reused: job.reused,
    tempBytesWritten,
    ...(job.plan.order.hashing
      ? { checksum: checksum.toString(16).padStart(16, "0") }
      : {}),
    seconds: (performance.now() - startedAt) / 1000,
  };
  job.manifest.append({ kind: "finished", result: { ...result } });
  return result;
}

/** What an earlier process had finished, but for the output's name. */
export async function finishedResult(
  manifest: Manifest,
  spec: SortSpec,
  options: SortOptions,
): Promise<SortResult | undefined> {
  const [job] = manifest.lines;
  const last = manifest.lines.at(-1);
  if (job?.kind !== "job" || last?.kind !== "finished") return undefined;
  if (job.spec !== specHash(spec)) return undefined;
  const { output } = spec;
  if (output.kind === "file" && existsSync(partialPath(output.path, job.id))) {
    const { durable = false } = options;
    await commitOutput(output, job.id, durable !== false);
  }
  await rm(options.jobFolder, { recursive: true, force: true });
  // It was written by `recordFinish`.
  return last.result as unknown as SortResult;
}
