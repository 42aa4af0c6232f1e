import { sleep } from "../../platform/data/backoff.ts";
import type { Executor } from "../../platform/data/executor.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { PreparedBranch } from "../clients/in-doubt.ts";
import type { ParticipantClient } from "../clients/participant.ts";
import { resolutionOf } from "../domain/two-phase-commit.ts";
import { findOrderById } from "../store/orders.ts";
import { findDecision, pruneDecisions } from "../store/decisions.ts";

export interface SweepInDoubtDeps {
  readonly db: Executor;
  readonly participants: readonly ParticipantClient[];
  readonly logger: Logger;
  readonly now: () => Date;
}

const EVERY_MS = 2_000;
/** A branch that is younger has its coordinator at work, most likely. */
const SETTLED_AFTER_MS = 2_000;
const PRUNE_EVERY = 30;
const PRUNE_BATCH = 1_000;
const KEEP_MS = 7 * 86_400_000;

/**
 * Asks the participants what they have in doubt, and tells them the decision, until `stop` aborts: within seconds after a
 * participant, the coordinator or the database has come back. An order that is not decided is left to its coordinator.
 */
export async function sweepInDoubt(
  deps: SweepInDoubtDeps,
  stop: AbortSignal,
): Promise<void> {
  for (let round = 1; !stop.aborted; round += 1) {
    await sleep(EVERY_MS * (0.5 + Math.random()), stop).catch(() => undefined);
    for (const participant of deps.participants) {
      if (stop.aborted) return;
      await sweep(deps, participant).catch((error: unknown) =>
        deps.logger.warn({ err: error }, "branches in doubt can't be resolved"),
      );
    }
    if (round % PRUNE_EVERY === 0) {
      await pruneDecisions(deps.db, before(deps, KEEP_MS), PRUNE_BATCH).catch(
        (error: unknown) =>
          deps.logger.warn({ err: error }, "decisions can't be pruned"),
      );
    }
  }
}

async function sweep(
  deps: SweepInDoubtDeps,
  participant: ParticipantClient,
): Promise<void> {
  const youngest = before(deps, SETTLED_AFTER_MS);
  for (const branch of await participant.listInDoubt()) {
    if (branch.preparedAt <= youngest) await resolve(deps, participant, branch);
  }
}

async function resolve(
  deps: SweepInDoubtDeps,
  participant: ParticipantClient,
  branch: PreparedBranch,
): Promise<void> {
  const { orderId, epoch } = branch;
  // In this order: an order that is seen settled without a decision can't get one any more.
  const order = await findOrderById(deps.db, orderId);
  const decision = await findDecision(deps.db, orderId);
  const resolution = resolutionOf(branch, order, decision);
  if (resolution === "leave") return;
  const told = {
    id: orderId,
    tenant: order?.tenant ?? "weft",
    customer: order?.customer ?? "order",
    epoch,
  };
  const answer =
    resolution === "commit"
      ? await participant.commit(told)
      : // Whose order is not known can't be voided in anybody's name.
        await participant.rollback(told, order === undefined);
  deps.logger.warn(
    { order: orderId, epoch: `${epoch}`, resolution, answer: answer.kind },
    "a branch was in doubt",
  );
}

function before({ now }: SweepInDoubtDeps, ms: number): Date {
  return new Date(now().getTime() - ms);
}
