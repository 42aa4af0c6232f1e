import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  SortJobCreatedSchema,
  SortJobFinishedSchema,
  SortJobProgressedSchema,
} from "../../../gen/ts/weft/sort/v1/sort_events_pb.ts";
import type { SortJobSchema } from "../../../gen/ts/weft/sort/v1/sort_job_pb.ts";
import { newEvent } from "../../platform/events/cloud-event.ts";
import type { Outbox } from "../../platform/events/outbox.ts";
import type { Announce } from "../app/announce.ts";
import type { SortJob } from "../domain/sort-job.ts";

const schemas = {
  SortJobCreated: SortJobCreatedSchema,
  SortJobProgressed: SortJobProgressedSchema,
  SortJobFinished: SortJobFinishedSchema,
} as const;

/** Announces changes of jobs as the contract's events, through the outbox, keyed by the job's id. */
export function announceThrough(
  outbox: Outbox,
  toProto: (job: SortJob) => MessageInitShape<typeof SortJobSchema>,
): Announce {
  return (tx, { type, job }) => {
    const schema = schemas[type];
    const event = newEvent(schema, create(schema, { job: toProto(job) }), {
      aggregateId: job.id,
      tenant: job.tenant,
      occurredAt: job.updatedAt,
      sequence: job.version,
    });
    return outbox.add(tx, event);
  };
}
