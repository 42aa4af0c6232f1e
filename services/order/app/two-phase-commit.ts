import type { ParticipantClient } from "../clients/participant.ts";
import type { QuoteClient } from "../clients/quote.ts";
import type { Order } from "../domain/order.ts";
import type { Outcome } from "../domain/saga.ts";
import {
  countAnswers,
  countVotes,
  type Vote,
} from "../domain/two-phase-commit.ts";

/** What a coordinator of two-phase commits calls. */
export interface TwoPhaseParticipants {
  readonly quote: QuoteClient;
  /** Each takes part in every order. They prepare in this order: no card is asked for what is out of stock. */
  readonly participants: readonly ParticipantClient[];
}

/**
 * The first phase: the participants prepare one after the other, up to the first that does not vote yes. Where one does not
 * answer, nobody is left in doubt until the next try.
 */
export async function prepareOrder(
  { quote, participants }: TwoPhaseParticipants,
  order: Order,
): Promise<Outcome> {
  const quoted = await quote(order);
  if (quoted.kind !== "quoted") {
    return quoted;
  }
  const votes: Vote[] = [];
  for (const participant of participants) {
    const vote = await participant.prepare(order, quoted);
    votes.push(vote);
    if (vote.kind !== "done") break;
  }
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
