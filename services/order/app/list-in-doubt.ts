import type { Executor } from "../../platform/data/executor.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { InDoubtClient, PreparedBranch } from "../clients/in-doubt.ts";
import type { OrderState } from "../domain/order.ts";
import { findOrderById } from "../store/orders.ts";

export interface ListInDoubtDeps {
  readonly db: Executor;
  readonly participants: readonly InDoubtClient[];
  readonly logger: Logger;
  readonly now: () => Date;
}

export interface InDoubtTransaction {
  readonly orderId: string;
  readonly decision: "undecided" | "commit" | "rollback";
  readonly branches: readonly (PreparedBranch & {
    readonly participant: string;
  })[];
  readonly oldestAt: Date;
}

export interface InDoubt {
  /** Oldest first. */
  readonly transactions: readonly InDoubtTransaction[];
  /** Participants that did not answer. */
  readonly unreachable: readonly string[];
}

/**
 * Asks every participant what it has in doubt, and the coordinator's log what was decided: the decision to commit is
 * stored together with the order's confirmation, and none means rollback.
 *
 * @throws DomainError PARTICIPANTS_UNREACHABLE where none answers.
 */
export async function listInDoubt(
  deps: ListInDoubtDeps,
  inDoubtForMs: number,
): Promise<InDoubt> {
  const asked = await Promise.all(
    deps.participants.map((participant) => ask(deps, participant)),
  );
  const unreachable = asked.flatMap(({ name, branches }) =>
    branches === undefined ? [name] : [],
  );
  if (unreachable.length === asked.length && asked.length > 0) {
    throw new DomainError({
      code: "unavailable",
      reason: "PARTICIPANTS_UNREACHABLE",
      message: `none of ${unreachable.join(", ")} answers`,
    });
  }
  const branches = asked.flatMap(({ name, branches: held }) =>
    (held ?? []).map((branch) => ({ ...branch, participant: name })),
  );
  const latest = deps.now().getTime() - inDoubtForMs;
  const transactions: InDoubtTransaction[] = [];
  for (const [orderId, group] of Map.groupBy(
    branches,
    ({ orderId: id }) => id,
  )) {
    const sorted = group.toSorted((a, b) => +a.preparedAt - +b.preparedAt);
    const oldestAt = sorted[0]?.preparedAt ?? new Date(0);
    if (oldestAt.getTime() > latest) continue;
    const decision = decisionOf((await findOrderById(deps.db, orderId))?.state);
    transactions.push({ orderId, decision, branches: sorted, oldestAt });
  }
  return {
    transactions: transactions.toSorted((a, b) => +a.oldestAt - +b.oldestAt),
    unreachable,
  };
}

async function ask(
  { logger }: ListInDoubtDeps,
  client: InDoubtClient,
): Promise<{
  name: string;
  branches: readonly PreparedBranch[] | undefined;
}> {
  const name = client.participant;
  try {
    return { name, branches: await client.listInDoubt() };
  } catch (error) {
    logger.debug({ err: error, participant: name }, "branches not listed");
    return { name, branches: undefined };
  }
}

function decisionOf(
  state: OrderState | undefined,
): InDoubtTransaction["decision"] {
  switch (state) {
    case "placed":
    case "reserved":
    case "authorized":
    case "needs_attention":
      return "undecided";
    case "confirmed":
    case "completed":
      return "commit";
    case "rejecting":
    case "rejected":
    case "cancelling":
    case "cancelled":
    case undefined:
      return "rollback";
  }
}
