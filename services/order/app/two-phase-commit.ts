import type { ParticipantClient } from "../clients/participant.ts";
import type { QuoteClient } from "../clients/quote.ts";
import type { Order } from "../domain/order.ts";
import type { Outcome } from "../domain/saga.ts";
import { countAnswers, countVotes } from "../domain/two-phase-commit.ts";

/** What a coordinator of two-phase commits calls. */
export interface TwoPhaseParticipants {
  readonly quote: QuoteClient;
  /** Each takes part in every order. */
  readonly participants: readonly ParticipantClient[];
}

/**
 * The first phase: all participants prepare at once. Where one does not answer, nobody is left in doubt until the next
 * try: what is prepared holds locks that others wait for.
 */
export async function prepareOrder(
  { quote, participants }: TwoPhaseParticipants,
  order: Order,
): Promise<Outcome> {
  const quoted = await quote(order);
  if (quoted.kind !== "quoted") {
    return quoted;
  }
  const votes = await Promise.all(
    participants.map((participant) => participant.prepare(order, quoted)),
  );
  const outcome = countVotes(votes, quoted);
  if (outcome.kind === "unanswered") {
    // Whom this does not reach is reached by the next epoch's Prepare.
    await Promise.all(
      participants.map((participant) => participant.rollback(order, true)),
    );
  }
  return outcome;
}

/** The second phase of an order whose decision is stored: it is told to all at once. */
export async function commitOrder(
  { participants }: TwoPhaseParticipants,
  order: Order,
): Promise<Outcome> {
  return countAnswers(
    await Promise.all(participants.map((each) => each.commit(order))),
  );
}

/** Takes back what may be prepared, and refuses what may still come. */
export async function rollbackOrder(
  { participants }: TwoPhaseParticipants,
  order: Order,
): Promise<Outcome> {
  return countAnswers(
    await Promise.all(participants.map((each) => each.rollback(order, false))),
  );
}
