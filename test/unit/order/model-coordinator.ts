import { countVotes } from "../../../services/order/domain/two-phase-commit.ts";
import {
  coordinator,
  send,
  toAll,
  type Bugs,
  type Coordinator,
  type Message,
  type State,
} from "./two-phase-model.ts";

/** Another coordinator goes on with the order, as `claimDueOrders` has it. */
export function takeOver(state: State, bugs: Bugs): State {
  const count = state.participants.length;
  const isPlaced = state.order === "placed";
  const epoch = isPlaced ? state.epoch + 1 : state.epoch;
  const phase = isPlaced
    ? "preparing"
    : state.order === "confirmed"
      ? "committing"
      : "rolling back";
  const kind = isPlaced
    ? "prepare"
    : phase === "committing"
      ? "commit"
      : "rollback";
  const named = bugs.noEpochs
    ? 1
    : phase === "committing"
      ? (state.decision ?? epoch)
      : epoch;
  return send(
    {
      ...state,
      epoch,
      takeovers: Math.max(0, state.takeovers - 1),
      lastResorts: state.lastResorts - (state.takeovers > 0 ? 0 : 1),
      // One at a time is what most of it comes to: the one before the last is only heard of by its messages.
      coordinators: [
        ...state.coordinators.slice(-1),
        coordinator(epoch, phase, count),
      ],
    },
    toAll(kind, named, count),
  );
}

/** A coordinator as `drive-order.ts` has it: what it decides counts if the order's row is still of its epoch. */
export function hear(state: State, message: Message, bugs: Bugs): State {
  return state.coordinators.reduce((current, each, index) => {
    const isMine = bugs.noEpochs || each.epoch === message.epoch;
    return isMine && each.phase !== "gone"
      ? advance({ state: current, index, before: each, message, bugs })
      : current;
  }, state);
}

interface Turn {
  readonly state: State;
  readonly index: number;
  readonly before: Coordinator;
  readonly message: Message;
  readonly bugs: Bugs;
}

function advance(turn: Turn): State {
  return turn.before.phase === "preparing" ? count(turn) : collect(turn);
}

/** In the second phase: who has done it. */
function collect(turn: Turn): State {
  const { state, before, message } = turn;
  if (message.kind === "stale") return put(turn, { phase: "gone" });
  if (message.kind !== "done") return state;
  const votes = before.votes.with(message.participant, "acknowledged");
  if (!votes.every((vote) => vote === "acknowledged")) {
    return put(turn, { votes });
  }
  const isCommitting = before.phase === "committing";
  const stands = isCommitting ? "confirmed" : "rejecting";
  const end = isCommitting ? "completed" : "rejected";
  return state.order === stands && isOfItsEpoch(turn)
    ? put(turn, { votes, phase: "gone" }, { order: end })
    : put(turn, { votes, phase: "gone" });
}

/** In the first phase: the votes, and what they come to. */
function count(turn: Turn): State {
  const { state, before, message } = turn;
  // No vote: what is prepared is let go, and another epoch tries again.
  if (message.kind === "stale") {
    return tell(turn, put(turn, { phase: "gone" }), "rollback");
  }
  if (message.kind !== "yes" && message.kind !== "no") return state;
  const votes = before.votes.with(message.participant, message.kind);
  if (votes.includes("")) return put(turn, { votes });
  const isCommit = outcomeOf(votes) === "prepared";
  return isCommit ? decide(turn) : rollBack(turn);
}

function decide(turn: Turn): State {
  const { state, bugs } = turn;
  const committing = { phase: "committing", votes: noVotes(turn) } as const;
  if (bugs.decidesLate) return tell(turn, put(turn, committing), "commit");
  // Its epoch may be gone, or the order be decided: then nothing is stored, and it leaves the order alone.
  if (state.order !== "placed" || !(isOfItsEpoch(turn) || bugs.noEpochs)) {
    return put(turn, { phase: "gone" });
  }
  const row = { order: "confirmed", decision: nameOf(turn) } as const;
  return tell(turn, put(turn, committing, row), "commit");
}

function rollBack(turn: Turn): State {
  const { state, bugs } = turn;
  if (state.order !== "placed" || !isOfItsEpoch(turn)) {
    const gone = put(turn, { phase: "gone" });
    // A coordinator without epochs does not know that it was replaced.
    return bugs.noEpochs ? tell(turn, gone, "rollback") : gone;
  }
  const rollingBack = { phase: "rolling back", votes: noVotes(turn) } as const;
  const row = { order: "rejecting" } as const;
  return tell(turn, put(turn, rollingBack, row), "rollback");
}

function outcomeOf(votes: Coordinator["votes"]): string {
  const failure = { reason: "", message: "", metadata: {} };
  return countVotes(
    votes.map((vote) =>
      vote === "no" ? { kind: "refused", failure } : { kind: "done" },
    ),
    { total: { currency: "EUR", minorUnits: 1n }, unitPrices: new Map() },
  ).kind;
}

function put(
  { state, index, before }: Turn,
  changes: Partial<Coordinator>,
  row: Partial<State> = {},
): State {
  const after = { ...before, ...changes };
  const coordinators = state.coordinators.with(index, after);
  return { ...state, ...row, coordinators };
}

function tell(turn: Turn, state: State, kind: Message["kind"]): State {
  return send(state, toAll(kind, nameOf(turn), state.participants.length));
}

/** The epoch by which it names its branches. */
function nameOf({ before, bugs }: Turn): number {
  return bugs.noEpochs ? 1 : before.epoch;
}

function isOfItsEpoch({ state, before }: Turn): boolean {
  return state.epoch === before.epoch;
}

function noVotes({ before }: Turn): Coordinator["votes"] {
  return before.votes.map(() => "");
}
