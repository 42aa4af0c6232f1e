import { timestampDate } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { ParticipantService } from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { actFor } from "../../platform/rpc/act-for.ts";

/** A branch of a two-phase commit that waits for its decision. */
export interface PreparedBranch {
  readonly orderId: string;
  readonly epoch: bigint;
  readonly preparedAt: Date;
}

/** What a participant of two-phase commits is asked by those who look after them. */
export interface InDoubtClient {
  readonly participant: string;
  listInDoubt(): Promise<readonly PreparedBranch[]>;
}

export function inDoubtClient(
  participant: string,
  transport: Transport,
): InDoubtClient {
  const client = createClient(ParticipantService, transport);
  return {
    participant,
    async listInDoubt() {
      // It is about all tenants, and a call has to name one.
      const { branches } = await client.listInDoubt(
        { pageSize: 500 },
        actFor({ tenant: "weft", subject: "order" }),
      );
      return branches.map(({ transaction, epoch, prepareTime }) => ({
        orderId: transaction.slice("orders/".length),
        epoch,
        preparedAt: prepareTime ? timestampDate(prepareTime) : new Date(0),
      }));
    },
  };
}
