import type { Executor } from "../../platform/data/executor.ts";
import { DomainError } from "../../platform/runtime/errors.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { InDoubtClient, PreparedBranch } from "../clients/in-doubt.ts";
import { decidedOf } from "../domain/two-phase-commit.ts";
import { findDecisions } from "../store/decisions.ts";

export interface ListInDoubtDeps {
  readonly db: Executor;
  readonly participants: readonly InDoubtClient[];
  readonly logger: Logger;
  readonly now: () => Date;
}

export interface InDoubtTransaction {
  readonly orderId: string;
  readonly decision: ReturnType<typeof decidedOf>;
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
 * Asks every participant what it has in doubt, and the coordinator's log what was decided: the order's state does not tell,
 * for it may be stuck, or have been settled by hand.
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
  const groups = [...Map.groupBy(branches, ({ orderId }) => orderId)]
    .map(([orderId, group]) => ({ orderId, ...oldestFirst(group) }))
    .filter(({ oldestAt }) => oldestAt.getTime() <= latest)
    .toSorted((a, b) => +a.oldestAt - +b.oldestAt);
  const known = await findDecisions(
    deps.db,
    groups.map(({ orderId }) => orderId),
  );
  const transactions = groups.map((group) => {
    const { state, decision } = known.get(group.orderId) ?? {};
    return { ...group, decision: decidedOf(state, decision) };
  });
  return { transactions, unreachable };
}

function oldestFirst(group: InDoubtTransaction["branches"]) {
  const branches = group.toSorted((a, b) => +a.preparedAt - +b.preparedAt);
  return { branches, oldestAt: branches[0]?.preparedAt ?? new Date(0) };
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
