import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DomainError } from "../../platform/runtime/errors.ts";
import { checkOrder } from "../engine/check-order.ts";
import { sortFile } from "../engine/sort-file.ts";
import type { SortOptions, SortResult } from "../engine/sort-options.ts";
import type { SortInput, SortOutput, SortSpec } from "../engine/sort-spec.ts";
import type { JobProgress, JobResult } from "../domain/sort-job.ts";
import type { OrderedInput, WorkOrder } from "../domain/work-order.ts";
import { explainFailure } from "./explain-failure.ts";
import { openRemote } from "./open-remote.ts";
import type { Service } from "./parent-link.ts";
import { sendOutput } from "./send-output.ts";
import { standardInput, standardOutput } from "./standard-streams.ts";
import { syncPath } from "../engine/job/sync-path.ts";

/**
 * Carries out an order: sorts, and then sends the output where it has to go by a URL. What was done is kept in the order's
 * folder, so that the same order goes on where it was. What a job has come to is on the disk before it is told.
 *
 * @throws DomainError with the engine's reasons, or URL_EXPIRED, INPUT_UNREADABLE, OUTPUT_FAILED.
 */
export async function carryOut(
  order: WorkOrder,
  service: Service,
  signal: AbortSignal,
): Promise<JobResult> {
  try {
    return await perform(order, service, signal);
  } catch (error) {
    throw explainFailure(order, error);
  }
}

async function perform(
  order: WorkOrder,
  service: Service,
  signal: AbortSignal,
): Promise<JobResult> {
  await mkdir(order.folder, { recursive: true });
  let last: JobProgress | undefined;
  const options: SortOptions = {
    jobFolder: join(order.folder, "work"),
    // By the lease: a process before this one that stands still is not waited for.
    isFolderGuarded: true,
    memory: { bytes: order.memoryBytes, counts: "process" },
    ...(order.tempBytes !== undefined && { tempBytes: order.tempBytes }),
    workers: order.workers,
    verify: order.kind === "job",
    durable: order.kind === "job" && "output",
    signal,
    onProgress: (progress) => {
      last = { ...progress, bytesUploaded: 0 };
      service.tell(last);
    },
  };
  if (order.kind === "stream") {
    const spec = specOf(
      order,
      [standardInput(order.inputCompression)],
      standardOutput(order.outputCompression),
    );
    return resultOf(await sortFile(spec, options));
  }
  const { output } = order;
  const openInputs = () =>
    Promise.all(
      order.inputs.map((input, index) =>
        inputOf(input, index, service, signal),
      ),
    );
  if (output === undefined) {
    return checkOnly(order, await openInputs(), options);
  }
  // What is merged has to be sorted: that is what sets a merge apart, its output is that of a sort.
  const openSorted = async () => {
    const inputs = await openInputs();
    if (order.mode === "merge") await refuseUnsorted(order, inputs, options);
    return inputs;
  };
  if (output.kind === "path") {
    const inputs = await openSorted();
    const target: SortOutput = {
      kind: "file",
      path: output.path,
      compression: output.compression,
    };
    const result = await sortFile(specOf(order, inputs, target), options);
    // A process that was lost right after it gave the output its name has left no more to do for this one, but this.
    await syncPath(dirname(output.path));
    return resultOf(result);
  }
  // Sorted into a file first: a part can be sent again, and its length is known before the first byte goes.
  const path = join(order.folder, "output");
  const result = await once(join(order.folder, "result.json"), async () => {
    const inputs = await openSorted();
    const target: SortOutput = {
      kind: "file",
      path,
      compression: output.compression,
    };
    const spec = specOf(order, inputs, target);
    return sortFile(spec, { ...options, countsOutput: true });
  });
  const { size } = await stat(path);
  const file = await sendOutput(
    { kind: output.kind, path, size },
    service,
    signal,
    (bytesUploaded) =>
      service.tell({
        ...(last ?? idle(result)),
        phase: "uploading",
        bytesUploaded,
      }),
  );
  await rm(order.folder, { recursive: true, force: true });
  return { ...resultOf(result), ...(file !== undefined && { file }) };
}

async function checkOnly(
  order: WorkOrder,
  inputs: readonly SortInput[],
  options: SortOptions,
): Promise<JobResult> {
  const { output: _, ...spec } = specOf(order, inputs, nowhere);
  const { records, disorder } = await checkOrder(spec, options);
  return {
    recordsIn: records,
    recordsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    runs: 0,
    reused: 0,
    sorted: disorder === undefined,
    // The engine counts from 0.
    ...(disorder && { firstUnsortedLine: disorder.record + 1 }),
  };
}

async function refuseUnsorted(
  order: WorkOrder,
  inputs: readonly SortInput[],
  options: SortOptions,
): Promise<void> {
  for (const input of inputs) {
    const { output: _, ...spec } = specOf(order, [input], nowhere);
    const { disorder } = await checkOrder(spec, options);
    if (disorder) {
      const name = input.kind === "file" ? basename(input.path) : input.name;
      const line = String(disorder.record + 1);
      throw new DomainError({
        code: "failed_precondition",
        reason: "NOT_SORTED",
        message: `${name} is not sorted: record ${line} is out of order`,
        metadata: { input: name, line },
      });
    }
  }
}

const nowhere: SortOutput = {
  kind: "stream",
  name: "nowhere",
  write: async () => {},
};

function specOf(
  { order }: WorkOrder,
  inputs: readonly SortInput[],
  output: SortOutput,
): SortSpec {
  const { record, keys, reverse, stable, unique, top } = order;
  return {
    inputs,
    output,
    record,
    keys,
    reverse,
    stable,
    ...(unique !== undefined && { unique }),
    ...(top !== undefined && { top }),
  };
}

async function inputOf(
  input: OrderedInput,
  index: number,
  service: Service,
  signal: AbortSignal,
): Promise<SortInput> {
  return input.kind === "path"
    ? { kind: "file", path: input.path, compression: input.compression }
    : openRemote(input, index, service, signal);
}

/** The result of work that is done once, whatever happens to the process after it. */
async function once(
  file: string,
  work: () => Promise<SortResult>,
): Promise<SortResult> {
  const known = await readFile(file, "utf8").catch(() => undefined);
  if (known !== undefined) {
    // We wrote it, by the rename below.
    return JSON.parse(known) as SortResult;
  }
  const result = await work();
  await writeFile(`${file}.new`, JSON.stringify(result), { flush: true });
  await rename(`${file}.new`, file);
  return result;
}

function resultOf(result: SortResult): JobResult {
  const { records, recordsOut, bytesIn, bytesOut, runs, reused, checksum } =
    result;
  return {
    recordsIn: records,
    recordsOut,
    bytesIn,
    bytesOut,
    runs,
    reused,
    ...(checksum !== undefined && { checksum }),
  };
}

/** How far a job is whose sorting was done by a process before this one. */
function idle(result: SortResult): JobProgress {
  return {
    phase: "uploading",
    bytesRead: result.bytesIn,
    bytesTotal: result.bytesIn,
    records: result.records,
    bytesMerged: result.bytesOut,
    bytesToMerge: result.bytesOut,
    bytesUploaded: 0,
    tempBytes: 0,
    bytesPerSecond: 0,
  };
}
