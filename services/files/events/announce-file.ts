import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  FileDeleted_Cause,
  FileDeletedSchema,
  FileUploadedSchema,
} from "../../../gen/ts/weft/files/v1/file_events_pb.ts";
import type { FileSchema } from "../../../gen/ts/weft/files/v1/file_pb.ts";
import { newEvent, type NewEvent } from "../../platform/events/cloud-event.ts";
import type { Outbox } from "../../platform/events/outbox.ts";
import type { Announce } from "../app/announce.ts";
import type { FileEvent } from "../domain/file-event.ts";
import type { StoredFile } from "../domain/file.ts";

type ToProto = (file: StoredFile) => MessageInitShape<typeof FileSchema>;

/** Announces changes of files as the contract's events, through the outbox, keyed by the file's id. */
export function announceThrough(
  outbox: Outbox,
  toProto: ToProto,
  now: () => Date,
): Announce {
  return (tx, event) => outbox.add(tx, toNewEvent(event, toProto, now()));
}

function toNewEvent(event: FileEvent, toProto: ToProto, at: Date): NewEvent {
  const { file } = event;
  const about = {
    aggregateId: file.id,
    tenant: file.tenant,
    occurredAt: at,
  };
  switch (event.type) {
    case "FileUploaded": {
      const message = create(FileUploadedSchema, { file: toProto(file) });
      return newEvent(FileUploadedSchema, message, about);
    }
    case "FileDeleted": {
      const cause = causes[event.cause];
      const message = create(FileDeletedSchema, { file: toProto(file), cause });
      return newEvent(FileDeletedSchema, message, about);
    }
  }
}

const causes = {
  deleted: FileDeleted_Cause.DELETED,
  aborted: FileDeleted_Cause.ABORTED,
  abandoned: FileDeleted_Cause.ABANDONED,
  expired: FileDeleted_Cause.EXPIRED,
} as const;
