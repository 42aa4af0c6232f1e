import {
  EventsService,
  type RedriveDeadLetterRequest,
} from "../../../gen/ts/weft/events/v1/events_service_pb.ts";
import { pageSize } from "../../platform/rpc/page-token.ts";
import { type MountedService, service } from "../../platform/rpc/server.ts";
import { batchRedrive } from "../app/batch-redrive.ts";
import { discardDeadLetter } from "../app/discard-dead-letter.ts";
import {
  getDeadLetter,
  listAudit,
  listDeadLetters,
  type ReadDeps,
} from "../app/read-dead-letters.ts";
import {
  type Edit,
  redriveDeadLetter,
  type RedriveDeps,
} from "../app/redrive-dead-letter.ts";
import {
  auditToProto,
  deadLetterToProto,
  stateOfProto,
  wholeToProto,
} from "./dead-letter-to-proto.ts";
import { deadLetterIdOf, decisionOf, filterOf } from "./requests.ts";

/** All that the RPCs need together. */
export type EventsDeps = ReadDeps & RedriveDeps;

/** The Events service, ready to be served. */
export function eventsService(
  deps: EventsDeps,
): MountedService<typeof EventsService> {
  return service(EventsService, {
    async listDeadLetters(request) {
      const states = request.states
        .map(stateOfProto)
        .filter((state) => state !== undefined);
      const filter = { ...filterOf(request), states };
      const size = pageSize(request.pageSize);
      const page = { size, token: request.pageToken };
      const found = await listDeadLetters(deps, filter, page);
      return {
        deadLetters: found.items.map(deadLetterToProto),
        nextPageToken: found.nextPageToken,
      };
    },
    async getDeadLetter(request) {
      const letter = await getDeadLetter(deps, deadLetterIdOf(request.name));
      return { deadLetter: wholeToProto(deps.contracts, letter) };
    },
    async redriveDeadLetter(request, context) {
      const letter = await redriveDeadLetter(deps, {
        ...decisionOf(request, context),
        id: deadLetterIdOf(request.name),
        etag: request.etag,
        edit: editOf(request),
      });
      return { deadLetter: deadLetterToProto(letter) };
    },
    async discardDeadLetter(request, context) {
      const letter = await discardDeadLetter(deps, {
        ...decisionOf(request, context),
        id: deadLetterIdOf(request.name),
        etag: request.etag,
      });
      return { deadLetter: deadLetterToProto(letter) };
    },
    async batchRedriveDeadLetters(request, context) {
      const { redriven, more } = await batchRedrive(deps, {
        ...decisionOf(request, context),
        filter: { ...filterOf(request), states: [] },
        limit: request.maxCount || 100,
      });
      return { redrivenCount: redriven, more };
    },
    async listDeadLetterAuditRecords(request) {
      const size = pageSize(request.pageSize);
      const found = await listAudit(
        deps,
        deadLetterIdOf(request.deadLetter) || undefined,
        { size, token: request.pageToken },
      );
      return {
        deadLetterAuditRecords: found.items.map(auditToProto),
        nextPageToken: found.nextPageToken,
      };
    },
  });
}

function editOf({ edited }: RedriveDeadLetterRequest): Edit | undefined {
  switch (edited.case) {
    case "payload":
      return { kind: "bytes", payload: edited.value };
    case "payloadJson":
      return { kind: "json", json: edited.value };
    case undefined:
      return undefined;
  }
}
