import { clone, create, toBinary } from "@bufbuild/protobuf";
import {
  Compression,
  SortJob_Engine,
  SortJobSchema,
  type SortInput,
  type SortJob,
  type SortOutput,
} from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import {
  withoutQuery,
  type PlannedInput,
  type PlannedOutput,
  type RecordOrder,
  type SortPlan,
} from "../domain/sort-plan.ts";
import { specInvalid } from "../domain/sort-refusals.ts";
import { modeOf, orderFromProto } from "./order-from-proto.ts";

/** A stated job as it is carried out. @throws DomainError SPEC_INVALID. */
export function planFromProto(job: SortJob): SortPlan {
  const mode = modeOf(job.spec);
  const order = orderFromProto(job.spec);
  if (mode === "check" && job.output) {
    throw specInvalid("job.output", "a check has no output");
  }
  if (mode !== "check" && !job.output) {
    throw specInvalid("job.output", "a sort needs an output");
  }
  return {
    mode,
    order,
    inputs: job.inputs.map(inputOf),
    output: job.output && outputOf(job.output, order),
    memoryBytes: job.memoryBytes === 0n ? undefined : Number(job.memoryBytes),
    engine: engines[job.engine] ?? "any",
    targetMs: job.targetTime
      ? Number(job.targetTime.seconds) * 1_000 + job.targetTime.nanos / 1e6
      : undefined,
  };
}

/** What is kept of a stated job to answer with: all that its caller wrote, but no URL's secret. */
export function requestToKeep(job: SortJob): Uint8Array {
  const { spec, memoryBytes, engine, targetTime, output } = job;
  const kept = create(SortJobSchema, {
    ...(spec && { spec }),
    memoryBytes,
    engine,
    ...(targetTime && { targetTime }),
    inputs: job.inputs,
    ...(output && { output }),
  });
  // The message shares what it was made of with the request, which is still to be planned: it is kept as a copy.
  const copy = clone(SortJobSchema, kept);
  for (const place of [
    ...copy.inputs.map(({ source }) => source),
    ...(copy.output ? [copy.output.target] : []),
  ]) {
    if (place.case === "url") place.value = withoutQuery(place.value);
  }
  return toBinary(SortJobSchema, copy);
}

function inputOf({ source, compression }: SortInput): PlannedInput {
  const packed = inputCompression(compression);
  switch (source.case) {
    case "file":
      return { kind: "file", file: source.value, compression: packed };
    case "url":
      return { kind: "url", url: source.value, compression: packed };
    case "path": {
      const { folder, path } = source.value;
      return { kind: "path", folder, path, compression: packed };
    }
    case undefined:
      throw new Error("the contract asks for an input's source");
  }
}

function outputOf(
  { target, compression }: SortOutput,
  order: RecordOrder,
): PlannedOutput {
  const packed = outputCompression(compression);
  switch (target.case) {
    case "newFile": {
      const { displayName, contentType } = target.value;
      return {
        kind: "new-file",
        displayName,
        contentType: contentType || typeOf(order, packed),
        compression: packed,
      };
    }
    case "url":
      return { kind: "url", url: target.value, compression: packed };
    case "path": {
      const { folder, path } = target.value;
      return { kind: "path", folder, path, compression: packed };
    }
    case undefined:
      throw new Error("the contract asks for an output's target");
  }
}

function typeOf(
  { record }: RecordOrder,
  compression: PlannedOutput["compression"],
): string {
  if (compression !== "none") return `application/${compression}`;
  switch (record.kind) {
    case "csv":
      return "text/csv";
    case "ndjson":
      return "application/x-ndjson";
    default:
      // Lines may hold any bytes.
      return "application/octet-stream";
  }
}

export function inputCompression(
  compression: Compression,
): PlannedInput["compression"] {
  return compression === Compression.UNSPECIFIED
    ? "auto"
    : outputCompression(compression);
}

export function outputCompression(
  compression: Compression,
): PlannedOutput["compression"] {
  return compressions[compression] ?? "none";
}

// The contract lets defined values through only; the types of its enums are open.
const compressions: Readonly<Record<number, PlannedOutput["compression"]>> = {
  [Compression.UNSPECIFIED]: "none",
  [Compression.NONE]: "none",
  [Compression.GZIP]: "gzip",
  [Compression.ZSTD]: "zstd",
};

const engines: Readonly<Record<number, SortPlan["engine"]>> = {
  [SortJob_Engine.UNSPECIFIED]: "any",
  [SortJob_Engine.LOCAL]: "local",
  [SortJob_Engine.SPARK]: "spark",
};
