import { stat, statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { estimateSort } from "../domain/estimate.ts";
import type { Estimate, Placement, SortJob } from "../domain/sort-job.ts";
import type { PlannedInput, SortPlan } from "../domain/sort-plan.ts";
import { fitsNowhere, sparkUnavailable } from "../domain/sort-refusals.ts";
import type { SparkObstacle } from "../domain/spark-limits.ts";
import type { Files, Owner } from "../clients/files.ts";
import { readPath, type Places } from "./places.ts";
import type { Share } from "./write-order.ts";

export interface PlaceJobDeps {
  readonly places: Places;
  readonly share: Share;
  readonly tempFolder: string;
  readonly files: Files | undefined;
  /** What keeps a job from Spark, if anything does. */
  readonly sparkObstacle: (plan: SortPlan) => SparkObstacle | undefined;
  readonly newId: () => string;
}

/** The engine leaves so much of the disk free, whatever its budget. */
const reserveBytes = 16 * 1024 * 1024;

/**
 * Where a job runs, and why: where its caller wants it; else here, unless its runs would not fit or it would take longer than
 * its caller would like, and Spark can do it.
 *
 * @throws DomainError SPARK_UNAVAILABLE, or TEMP_SPACE_SHORT where it fits nowhere.
 */
export async function placeJob(
  deps: PlaceJobDeps,
  job: SortJob,
): Promise<Placement> {
  const { plan } = job;
  const estimate = await estimateOf(deps, job);
  const known = estimate && { estimate };
  const obstacle =
    plan.engine === "local" ? undefined : deps.sparkObstacle(plan);
  if (plan.engine === "spark") {
    if (obstacle) throw sparkUnavailable(obstacle);
    return { engine: "spark", reason: "asked for", ...known, ...newRun(deps) };
  }
  const here = (reason: string): Placement => ({
    engine: "local",
    reason,
    ...known,
  });
  if (plan.engine === "local") return here("asked for");
  if (!estimate) {
    return here("how large its input is shows only while it is read");
  }
  const limit = await tempLimit(deps);
  const tooMuch = estimate.tempBytes > limit;
  const tooLong = estimate.seconds * 1_000 > (plan.targetMs ?? Infinity);
  if (!tooMuch && !tooLong) return here("it fits, by the estimate");
  const why = tooMuch
    ? `here it would take about ${estimate.tempBytes} of ${limit} temporary bytes`
    : `here it would take about ${Math.ceil(estimate.seconds)} s, and is wanted in ${(plan.targetMs ?? 0) / 1_000} s`;
  if (!obstacle) {
    return { engine: "spark", reason: why, ...known, ...newRun(deps) };
  }
  const whyNot = `${obstacle.field}: ${obstacle.why}`;
  if (tooMuch) throw fitsNowhere(estimate.tempBytes, limit, whyNot);
  return here(`${why}; on Spark it can't run: ${whyNot}`);
}

/** Names under which Spark will know a job. */
export function newRun({ newId }: Pick<PlaceJobDeps, "newId">): {
  spark: { sessionId: string; operationId: string };
} {
  return { spark: { sessionId: newId(), operationId: newId() } };
}

async function estimateOf(
  deps: PlaceJobDeps,
  job: SortJob,
): Promise<Estimate | undefined> {
  const { plan } = job;
  if (plan.mode === "check") return undefined;
  const owner = { tenant: job.tenant, subject: job.owner };
  const sizes = await Promise.all(
    plan.inputs.map((input, index) =>
      sizeOf(deps, owner, input, `job.inputs[${index}]`),
    ),
  );
  let bytes = 0;
  for (const size of sizes) {
    if (size === undefined) return undefined;
    bytes += size;
  }
  const means = {
    workers: deps.share.workers,
    cores: availableParallelism(),
    keepsOutput: plan.output !== undefined && plan.output.kind !== "path",
  };
  return estimateSort(plan.order, bytes, means);
}

/** Undefined where only reading it will tell; whoever reads it tells what is wrong with it. */
async function sizeOf(
  { places, files }: PlaceJobDeps,
  owner: Owner,
  input: PlannedInput,
  field: string,
): Promise<number | undefined> {
  if (input.compression === "gzip" || input.compression === "zstd") {
    return undefined;
  }
  switch (input.kind) {
    case "url":
      return undefined;
    case "file":
      return files?.sizeOf(owner, input.file).catch(() => undefined);
    case "path": {
      if (input.compression === "auto" && /\.(gz|zst)$/.test(input.path)) {
        return undefined;
      }
      const path = await readPath(places, field, {
        tenant: owner.tenant,
        ...input,
      });
      const found = await stat(path).catch(() => undefined);
      return found?.size;
    }
  }
}

async function tempLimit({ share, tempFolder }: PlaceJobDeps): Promise<number> {
  const { bavail, bsize } = await statfs(tempFolder);
  const free = Math.max(0, bavail * bsize - reserveBytes);
  return Math.min(share.tempBytes ?? Infinity, free);
}
