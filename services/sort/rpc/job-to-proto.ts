import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  DurationSchema,
  timestampFromDate,
  type Duration,
} from "@bufbuild/protobuf/wkt";
import {
  SortJob_Engine,
  SortJob_State,
  SortJobSchema,
  type SortPlacementSchema,
  SortProgress_Phase,
  type SortProgressSchema,
  type SortResultSchema,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import type {
  JobProgress,
  JobResult,
  Placement,
  SortJob,
} from "../domain/sort-job.ts";

/** A job as the contract shows it. */
export function jobToProto(
  job: SortJob,
): MessageInitShape<typeof SortJobSchema> {
  const { placement, progress, result, failure } = job;
  const { spec, inputs, output, memoryBytes, engine, targetTime } = fromBinary(
    SortJobSchema,
    job.request,
  );
  return {
    name: `sortJobs/${job.id}`,
    ...(spec && { spec }),
    inputs,
    ...(output && { output }),
    memoryBytes,
    engine,
    ...(targetTime && { targetTime }),
    state: states[job.state],
    ...(placement && { placement: placementToProto(placement) }),
    ...(progress && { progress: progressToProto(progress) }),
    ...(result && { result: resultToProto(result) }),
    ...(failure && {
      failure: {
        reason: failure.reason,
        message: failure.message,
        metadata: { ...failure.metadata },
      },
    }),
    owner: job.owner,
    createTime: timestampFromDate(job.createdAt),
    ...(job.startedAt && { startTime: timestampFromDate(job.startedAt) }),
    ...(job.endedAt && { endTime: timestampFromDate(job.endedAt) }),
    etag: `"${job.version}"`,
  };
}

/** What a sort came to, as the contract shows it. */
export function resultToProto(
  result: JobResult,
): MessageInitShape<typeof SortResultSchema> {
  return {
    recordsIn: BigInt(result.recordsIn),
    recordsOut: BigInt(result.recordsOut),
    bytesIn: BigInt(result.bytesIn),
    bytesOut: BigInt(result.bytesOut),
    runs: BigInt(result.runs),
    reused: BigInt(result.reused),
    checksum: result.checksum ?? "",
    file: result.file ?? "",
    sorted: result.sorted ?? false,
    firstUnsortedLine: BigInt(result.firstUnsortedLine ?? 0),
    parts: (result.parts ?? []).map(({ name }) => name),
    partFiles: (result.parts ?? []).map((part) => ({
      name: part.name,
      bytes: BigInt(part.bytes),
      records: BigInt(part.records),
      checksum: part.checksum,
    })),
  };
}

function placementToProto({
  engine,
  reason,
  estimate,
  spark,
}: Placement): MessageInitShape<typeof SortPlacementSchema> {
  return {
    engine: engines[engine],
    reason,
    ...(estimate && {
      estimatedTime: seconds(estimate.seconds),
      estimatedTempBytes: whole(estimate.tempBytes),
    }),
    ...(spark && { sparkOperation: spark.operationId }),
  };
}

function progressToProto(
  progress: JobProgress,
): MessageInitShape<typeof SortProgressSchema> {
  const { secondsLeft } = progress;
  return {
    phase: phases[progress.phase],
    bytesRead: whole(progress.bytesRead),
    bytesTotal: whole(progress.bytesTotal ?? 0),
    records: whole(progress.records),
    bytesMerged: whole(progress.bytesMerged),
    bytesToMerge: whole(progress.bytesToMerge),
    bytesUploaded: whole(progress.bytesUploaded),
    tempBytes: whole(progress.tempBytes),
    bytesPerSecond: whole(progress.bytesPerSecond),
    ...(secondsLeft !== undefined && { timeLeft: seconds(secondsLeft) }),
  };
}

function whole(value: number): bigint {
  return BigInt(Number.isFinite(value) ? Math.round(value) : 0);
}

function seconds(value: number): Duration {
  return create(DurationSchema, { seconds: whole(value) });
}

const states = {
  queued: SortJob_State.QUEUED,
  running: SortJob_State.RUNNING,
  suspended: SortJob_State.SUSPENDED,
  cancelling: SortJob_State.CANCELLING,
  succeeded: SortJob_State.SUCCEEDED,
  failed: SortJob_State.FAILED,
  cancelled: SortJob_State.CANCELLED,
} as const;

const engines = {
  local: SortJob_Engine.LOCAL,
  spark: SortJob_Engine.SPARK,
} as const;

const phases = {
  planning: SortProgress_Phase.PLANNING,
  sorting: SortProgress_Phase.SORTING,
  merging: SortProgress_Phase.MERGING,
  finishing: SortProgress_Phase.FINISHING,
  uploading: SortProgress_Phase.UPLOADING,
} as const;
