/** One order of two-phase commit as a state that can be compared: what a coordinator, a participant and the network hold. */

/** What may be left out, to see that the explorer notices. */
export interface Bugs {
  /** Commits are sent before the decision is stored. */
  readonly decidesLate?: boolean;
  /** A rollback leaves no mark. */
  readonly noTombstone?: boolean;
  /** Coordinators are not told apart. */
  readonly noEpochs?: boolean;
  /** A commit that is asked for again is refused. */
  readonly forgetsCommits?: boolean;
}

export interface Coordinator {
  readonly epoch: number;
  readonly phase: "preparing" | "committing" | "rolling back" | "gone";
  readonly votes: readonly ("" | "yes" | "no" | "acknowledged")[];
}

export interface Participant {
  readonly barrier: { operation: "prepare" | "rollback"; epoch: number } | null;
  /** Epochs of the branches in doubt; they survive every crash. */
  readonly prepared: readonly number[];
}

export interface Message {
  readonly kind:
    "prepare" | "commit" | "rollback" | "yes" | "no" | "done" | "stale";
  readonly epoch: number;
  readonly participant: number;
}

export interface State {
  /** The row of the order and the log of decisions: what a crash can't take. */
  readonly order:
    "placed" | "confirmed" | "rejecting" | "completed" | "rejected";
  readonly epoch: number;
  readonly decision: number | null;
  readonly coordinators: readonly Coordinator[];
  readonly participants: readonly Participant[];
  /** Under way, in no order. */
  readonly messages: readonly Message[];
  readonly takeovers: number;
  /** Takeovers when nothing is under way any more, so that every way comes to an end. */
  readonly lastResorts: number;
  readonly mishaps: number;
}

export function coordinator(
  epoch: number,
  phase: Coordinator["phase"],
  participants: number,
): Coordinator {
  return {
    epoch,
    phase,
    votes: Array.from({ length: participants }, () => "" as const),
  };
}

export function toAll(
  kind: Message["kind"],
  epoch: number,
  count: number,
): Message[] {
  return Array.from({ length: count }, (_, participant) => ({
    kind,
    epoch,
    participant,
  }));
}

/** A message that is under way already is not told apart from one that is sent again. */
export function send(state: State, sent: readonly Message[]): State {
  const known = new Set(state.messages.map(textOf));
  const news = sent.filter(
    (message) => !known.has(textOf(message)) && isHeard(state, message),
  );
  const messages = [...state.messages, ...news].toSorted((a, b) =>
    textOf(a) < textOf(b) ? -1 : 1,
  );
  return { ...state, messages };
}

/** Whether it makes a difference if it arrives. */
function isHeard({ coordinators }: State, message: Message): boolean {
  const { kind, epoch } = message;
  if (kind === "prepare" || kind === "commit" || kind === "rollback") {
    return true;
  }
  return coordinators.some(
    (each) => each.phase !== "gone" && (each.epoch === epoch || epoch === 1),
  );
}

function textOf({ kind, epoch, participant }: Message): string {
  return `${kind}${epoch}${participant}`;
}

export function isVote({ kind }: Message): boolean {
  return kind === "yes" || kind === "no" || kind === "stale";
}
