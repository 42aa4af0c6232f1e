import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { sortFile } from "../engine/sort-file.ts";
import type { SortOptions, SortResult } from "../engine/sort-options.ts";
import type { SortInput, SortOutput, SortSpec } from "../engine/sort-spec.ts";
import type { JobProgress, JobResult } from "../domain/sort-job.ts";
import type { OrderedInput, WorkOrder } from "../domain/work-order.ts";
import { openRemote } from "./open-remote.ts";
import type { Service } from "./parent-link.ts";
import { sendOutput } from "./send-output.ts";
import { standardInput, standardOutput } from "./standard-streams.ts";

/**
 * Carries out an order: sorts, and then sends the output where it has to go by a URL. What was done is kept in the order's
 * folder, so that the same order goes on where it was.
 *
 * @throws DomainError with the engine's reasons, or URL_EXPIRED, INPUT_UNREADABLE, OUTPUT_FAILED.
 */
export async function carryOut(
  order: WorkOrder,
  service: Service,
  signal: AbortSignal,
): Promise<JobResult> {
  await mkdir(order.folder, { recursive: true });
  let last: JobProgress | undefined;
  const options: SortOptions = {
    jobFolder: join(order.folder, "work"),
    memory: { bytes: order.memoryBytes, counts: "process" },
    ...(order.tempBytes !== undefined && { tempBytes: order.tempBytes }),
    workers: order.workers,
    verify: order.kind === "job",
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
  if (output === undefined) throw new Error("a sort has an output");
  if (output.kind === "path") {
    const inputs = await Promise.all(
      order.inputs.map((input, index) =>
        inputOf(input, index, service, signal),
      ),
    );
    const target: SortOutput = {
      kind: "file",
      path: output.path,
      compression: output.compression,
    };
    return resultOf(await sortFile(specOf(order, inputs, target), options));
  }
  // Sorted into a file first: a part can be sent again, and its length is known before the first byte goes.
  const path = join(order.folder, "output");
  const result = await once(join(order.folder, "result.json"), async () => {
    const inputs = await Promise.all(
      order.inputs.map((input, index) =>
        inputOf(input, index, service, signal),
      ),
    );
    const target: SortOutput = {
      kind: "file",
      path,
      compression: output.compression,
    };
    return sortFile(specOf(order, inputs, target), options);
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
