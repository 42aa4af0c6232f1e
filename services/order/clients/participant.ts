import { createClient, type Transport } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ParticipantService,
  type PrepareRequestSchema,
} from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { actFor } from "../../platform/rpc/act-for.ts";
import { moneyToProto } from "../../platform/rpc/money.ts";
import { orderName, type Order } from "../domain/order.ts";
import type { Prices } from "../domain/saga.ts";
import type { Vote } from "../domain/two-phase-commit.ts";
import { inDoubtClient, type InDoubtClient } from "./in-doubt.ts";
import { outcomeOfError } from "./participant-outcome.ts";

/** A participant of two-phase commits. What it is called with is the order: its id, tenant and epoch. */
export interface ParticipantClient extends InDoubtClient {
  prepare(order: Order, prices: Prices): Promise<Vote>;
  commit(order: OrderBranch): Promise<Vote>;
  /** `again`: the order is to be prepared anew under a higher epoch. */
  rollback(order: OrderBranch, again: boolean): Promise<Vote>;
}

export type OrderBranch = Pick<Order, "id" | "tenant" | "customer" | "epoch">;

type Work = NonNullable<MessageInitShape<typeof PrepareRequestSchema>["work"]>;

/** What takes part: the stock, and the payment. */
export const works = {
  sellStock(order: Order, { total, unitPrices }: Prices): Work {
    const lines = order.lines.map(({ sku, quantity }) => ({
      sku,
      quantity,
      unitPrice: moneyToProto({
        ...total,
        minorUnits: unitPrices.get(sku) ?? 0n,
      }),
    }));
    return { case: "sellStock", value: { lines } };
  },
  takePayment(order: Order, { total }: Prices): Work {
    const paymentToken = order.paymentToken ?? "";
    const amount = moneyToProto(total);
    return { case: "takePayment", value: { amount, paymentToken } };
  },
};

/** So that a lease outlives its calls; a decision that is not told in time is told by the next coordinator. */
const PHASE_MS = 5_000;

export function participantClient(
  name: string,
  transport: Transport,
  work: (order: Order, prices: Prices) => Work,
): ParticipantClient {
  const client = createClient(ParticipantService, transport);
  return {
    ...inDoubtClient(name, transport),
    prepare: (order, prices) =>
      voteOf(
        client.prepare(
          { ...branchOf(order), work: work(order, prices) },
          optionsOf(order),
        ),
      ),
    commit: (order) => voteOf(client.commit(branchOf(order), optionsOf(order))),
    rollback: (order, again) =>
      voteOf(client.rollback({ ...branchOf(order), again }, optionsOf(order))),
  };
}

async function voteOf(call: Promise<unknown>): Promise<Vote> {
  try {
    await call;
    return { kind: "done" };
  } catch (error) {
    return outcomeOfError(error);
  }
}

function branchOf({ id, epoch }: OrderBranch) {
  return { transaction: orderName(id), epoch };
}

function optionsOf({ tenant, customer }: OrderBranch) {
  return { ...actFor({ tenant, subject: customer }), timeoutMs: PHASE_MS };
}
