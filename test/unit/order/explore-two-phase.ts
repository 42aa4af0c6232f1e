import {
  judge,
  type Barrier,
} from "../../../services/platform/data/branch-barrier.ts";
import { countVotes } from "../../../services/order/domain/two-phase-commit.ts";

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

export interface Bounds {
  readonly participants: number;
  /** Coordinators that die or are paused, so that another one takes over. */
  readonly takeovers: number;
  /** Requests that are lost or come twice, and answers that are lost: what was asked is done, and nobody hears of it. */
  readonly mishaps: number;
}

export interface Exploration {
  readonly states: number;
  /** How the order can end. */
  readonly ends: ReadonlySet<string>;
  /** The shortest way to a state that must not be. */
  readonly fault?: { readonly what: string; readonly way: readonly string[] };
}

interface Coordinator {
  readonly epoch: number;
  readonly phase: "preparing" | "committing" | "rolling back" | "gone";
  readonly votes: readonly ("" | "yes" | "no" | "acknowledged")[];
}

interface Participant {
  readonly barrier: { operation: "prepare" | "rollback"; epoch: number } | null;
  /** Epochs of the branches in doubt; they survive every crash. */
  readonly prepared: readonly number[];
}

interface Message {
  readonly kind:
    "prepare" | "commit" | "rollback" | "yes" | "no" | "done" | "stale";
  readonly epoch: number;
  readonly participant: number;
}

interface State {
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

type Move = readonly [string, State];

/**
 * Visits every state that one order of two-phase commit can come to, breadth first: any interleaving of its coordinators
 * and participants, within the bounds. The rules are the services' own: the barrier and the count of the votes.
 */
export function explore(bounds: Bounds, bugs: Bugs = {}): Exploration {
  const known = new Set<number>();
  const ends = new Set<string>();
  let frontier: Reached[] = [{ state: begin(bounds), name: "", before: null }];
  while (frontier.length > 0) {
    const next: Reached[] = [];
    for (const reached of frontier) {
      const { state } = reached;
      const what = faultOf(state);
      if (what) {
        const fault = { what, way: wayTo(reached) };
        return { states: known.size, ends, fault };
      }
      const moves = movesFrom(state, bugs);
      if (moves.length === 0) ends.add(state.order);
      for (const [name, moved] of moves) {
        const after = tidy(moved, bugs);
        const key = hashOf(keyOf(after));
        if (known.has(key)) continue;
        known.add(key);
        next.push({ state: after, name, before: reached });
      }
    }
    frontier = next;
  }
  return { states: known.size, ends };
}

/** A state, and how it was come to. */
interface Reached {
  readonly state: State;
  readonly name: string;
  readonly before: Reached | null;
}

function begin({ participants, takeovers, mishaps }: Bounds): State {
  return {
    order: "placed",
    epoch: 1,
    decision: null,
    coordinators: [coordinator(1, "preparing", participants)],
    participants: Array.from({ length: participants }, () => ({
      barrier: null,
      prepared: [],
    })),
    messages: toAll("prepare", 1, participants),
    takeovers,
    // What is the last resort of one mishap may itself meet the next.
    lastResorts: Math.max(1, mishaps),
    mishaps,
  };
}

/** Atomicity, and no orphan: what must hold in every single state. */
function faultOf({ order, decision, participants }: State): string | undefined {
  const committed = participants.filter(
    ({ barrier }) => barrier?.operation === "prepare",
  );
  if (committed.length > 0 && decision === null) {
    return "a branch is committed without a decision";
  }
  const mixed = committed.some(({ barrier }) => barrier?.epoch !== decision);
  if (mixed)
    return "a branch of another epoch than the decided one is committed";
  if (decision !== null) {
    const lost = participants.some(
      ({ barrier, prepared }) =>
        barrier?.operation !== "prepare" && !prepared.includes(decision),
    );
    if (lost) return "a decided branch is gone";
  }
  const isOver = order === "completed" || order === "rejected";
  if (isOver && participants.some(({ prepared }) => prepared.length > 0)) {
    return "the order is over and a branch is in doubt";
  }
  return order === "completed" && committed.length < participants.length
    ? "the order is completed and a branch is not"
    : undefined;
}

function movesFrom(state: State, bugs: Bugs): Move[] {
  const silent = silentMove(state, bugs);
  if (silent) return [silent];
  const moves: Move[] = [];
  state.messages.forEach((message, index) => {
    const name = `${message.kind} ${message.epoch} ${message.participant}`;
    const rest = { ...state, messages: state.messages.toSpliced(index, 1) };
    for (const after of deliver(rest, message, bugs)) {
      const isHeard = after.mishaps === state.mishaps;
      moves.push([isHeard ? name : `${name}, its answer is lost`, after]);
    }
    // Whether a vote is lost is seen when it is given; a second one changes nothing.
    if (state.mishaps === 0 || isVote(message)) return;
    const mishaps = state.mishaps - 1;
    moves.push([`${name} is lost`, { ...rest, mishaps }]);
    for (const after of deliver({ ...state, mishaps }, message, bugs)) {
      moves.push([`${name} comes twice`, after]);
    }
  });
  const isOver = state.order === "completed" || state.order === "rejected";
  const isIdle = state.messages.length === 0;
  // The first may be dead or only paused: what it still does is among the moves. The last resort is free.
  if (!isOver && (state.takeovers > 0 || (isIdle && state.lastResorts > 0))) {
    moves.push(["takeover", takeOver(state, bugs)]);
  }
  return moves;
}

/**
 * A vote that is not the last one is only noted: nobody sees when, and nothing that happens meanwhile is changed by it.
 * So it is noted at once, and one order of such steps stands for all (partial order reduction).
 */
function silentMove(state: State, bugs: Bugs): Move | undefined {
  if (bugs.noEpochs) return undefined;
  const index = state.messages.findIndex(
    ({ kind, epoch, participant }) =>
      (kind === "yes" || kind === "no") &&
      state.coordinators.some(
        (each) =>
          each.epoch === epoch &&
          each.phase === "preparing" &&
          each.votes.filter((vote, of) => vote === "" && of !== participant)
            .length > 0,
      ),
  );
  const message = state.messages[index];
  if (!message) return undefined;
  const rest = { ...state, messages: state.messages.toSpliced(index, 1) };
  return [
    `${message.kind} ${message.epoch} ${message.participant}`,
    hear(rest, message, bugs),
  ];
}

/** The same state without what makes no difference any more. */
function tidy(state: State, bugs: Bugs): State {
  if (bugs.noEpochs) return state;
  const coordinators = state.coordinators.map((each) =>
    each.phase === "gone"
      ? {
          epoch: 0,
          phase: each.phase,
          votes: each.votes.map(() => "" as const),
        }
      : each,
  );
  const isAwaited = ({ epoch }: Message) =>
    coordinators.some((each) => each.epoch === epoch);
  const messages = state.messages.filter((message) => {
    if (isAwaited(message)) return true;
    if (message.kind !== "prepare") return !isVote(message);
    // Barriers only ever rise: it is refused whenever it comes, and nobody hears of it.
    const { barrier } = state.participants[message.participant] ?? {};
    return !barrier || barrier.epoch < message.epoch;
  });
  return { ...state, coordinators, messages };
}

function isVote({ kind }: Message): boolean {
  return kind === "yes" || kind === "no" || kind === "stale";
}

function takeOver(state: State, bugs: Bugs): State {
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

function deliver(state: State, message: Message, bugs: Bugs): State[] {
  switch (message.kind) {
    case "prepare":
    case "commit":
    case "rollback":
      return participate(state, message, bugs);
    case "yes":
    case "no":
    case "done":
    case "stale":
      return [hear(state, message, bugs)];
  }
}

/** A participant as `two-phase.ts` and its barrier have it. */
function participate(state: State, message: Message, bugs: Bugs): State[] {
  const { epoch, participant: index } = message;
  const before = state.participants[index] ?? { barrier: null, prepared: [] };
  const answer = (
    kind: Message["kind"],
    after: Participant = before,
  ): State[] => {
    const answered = {
      ...state,
      participants: state.participants.with(index, after),
    };
    const reply = { kind, epoch, participant: index };
    // A vote may come late, and mean something else by then. Of the second phase only the order of its effects matters.
    const heard =
      message.kind === "prepare"
        ? send(answered, [reply])
        : hear(answered, reply, bugs);
    return state.mishaps === 0
      ? [heard]
      : [heard, { ...answered, mishaps: state.mishaps - 1 }];
  };
  if (message.kind === "commit") {
    if (before.prepared.includes(epoch)) {
      const barrier = { operation: "prepare", epoch } as const;
      return answer("done", { barrier, prepared: [] });
    }
    const isKnown =
      before.barrier?.operation === "prepare" && !bugs.forgetsCommits;
    return answer(isKnown ? "done" : "stale");
  }
  if (before.prepared.some((other) => other > epoch)) return answer("stale");
  const upTo = message.kind === "rollback" ? epoch : epoch - 1;
  const prepared = before.prepared.filter((other) => other > upTo);
  if (message.kind === "prepare" && prepared.includes(epoch))
    return answer("yes");
  const barrier: Barrier | undefined =
    before.barrier === null
      ? undefined
      : { ...before.barrier, epoch: BigInt(before.barrier.epoch) };
  const verdict = judge(barrier, {
    operation: message.kind === "prepare" ? "prepare" : "rollback",
    epoch: BigInt(epoch),
  });
  if (message.kind === "rollback") {
    const mark = bugs.noTombstone
      ? before.barrier
      : ({ operation: "rollback", epoch } as const);
    if (verdict === "enter") return answer("done", { barrier: mark, prepared });
    return answer(verdict === "repeated" ? "done" : "stale", {
      ...before,
      prepared,
    });
  }
  switch (verdict) {
    case "enter":
      return [
        ...answer("yes", { ...before, prepared: [epoch] }),
        // All are alike: it is enough that one of them may refuse.
        ...(index === 0 ? answer("no", { ...before, prepared }) : []),
      ];
    case "repeated":
      return answer("yes");
    case "rolled back":
      return answer("no", { ...before, prepared });
    case "committed":
    case "stale":
      return answer("stale", { ...before, prepared });
  }
}

/** A coordinator as `drive-order.ts` has it: what it decides counts if the order's row is still of its epoch. */
function hear(state: State, message: Message, bugs: Bugs): State {
  return state.coordinators.reduce((current, each, index) => {
    const isMine = bugs.noEpochs || each.epoch === message.epoch;
    return isMine && each.phase !== "gone"
      ? advance(current, index, each, message, bugs)
      : current;
  }, state);
}

function advance(
  state: State,
  index: number,
  before: Coordinator,
  message: Message,
  bugs: Bugs,
): State {
  const count = state.participants.length;
  const put = (
    changes: Partial<Coordinator>,
    row: Partial<State> = {},
  ): State => ({
    ...state,
    ...row,
    coordinators: state.coordinators.with(index, { ...before, ...changes }),
  });
  const named = bugs.noEpochs ? 1 : before.epoch;
  // Its epoch may be gone, or the order be decided: then nothing is stored, and it leaves the order alone.
  const isMine = state.epoch === before.epoch;
  if (before.phase !== "preparing") {
    if (message.kind === "stale") return put({ phase: "gone" });
    if (message.kind !== "done") return state;
    const votes = before.votes.with(message.participant, "acknowledged");
    if (!votes.every((vote) => vote === "acknowledged")) return put({ votes });
    const end = before.phase === "committing" ? "completed" : "rejected";
    const stands = before.phase === "committing" ? "confirmed" : "rejecting";
    return state.order === stands && isMine
      ? put({ votes, phase: "gone" }, { order: end })
      : put({ votes, phase: "gone" });
  }
  if (message.kind !== "yes" && message.kind !== "no") {
    if (message.kind !== "stale") return state;
    // No vote: what is prepared is let go, and another epoch tries again.
    return send(put({ phase: "gone" }), toAll("rollback", named, count));
  }
  const votes = before.votes.with(message.participant, message.kind);
  if (votes.includes("")) return put({ votes });
  const outcome = countVotes(
    votes.map((vote) =>
      vote === "no"
        ? {
            kind: "refused",
            failure: { reason: "", message: "", metadata: {} },
          }
        : { kind: "done" },
    ),
    { total: { currency: "EUR", minorUnits: 1n }, unitPrices: new Map() },
  );
  const isPlaced = state.order === "placed" && isMine;
  const none = votes.map(() => "" as const);
  if (outcome.kind !== "prepared") {
    if (!isPlaced) {
      // A coordinator without epochs does not know that it was replaced.
      return bugs.noEpochs
        ? send(put({ phase: "gone" }), toAll("rollback", named, count))
        : put({ phase: "gone" });
    }
    return send(
      put({ phase: "rolling back", votes: none }, { order: "rejecting" }),
      toAll("rollback", named, count),
    );
  }
  if (bugs.decidesLate) {
    const told = toAll("commit", named, count);
    return send(put({ phase: "committing", votes: none }), told);
  }
  return isPlaced || (bugs.noEpochs && state.order === "placed")
    ? send(
        put(
          { phase: "committing", votes: none },
          { order: "confirmed", decision: named },
        ),
        toAll("commit", named, count),
      )
    : put({ phase: "gone" });
}

function coordinator(
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

function toAll(kind: Message["kind"], epoch: number, count: number): Message[] {
  return Array.from({ length: count }, (_, participant) => ({
    kind,
    epoch,
    participant,
  }));
}

/** A message that is under way already is not told apart from one that is sent again. */
function send(state: State, sent: readonly Message[]): State {
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

/** 53 bits (cyrb53, public domain): of a million states, two share one with a probability of 1 in 18,000. */
function hashOf(text: string): number {
  let one = 0xdeadbeef;
  let two = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    one = Math.imul(one ^ code, 2_654_435_761);
    two = Math.imul(two ^ code, 1_597_334_677);
  }
  one = Math.imul(one ^ (one >>> 16), 2_246_822_507);
  one ^= Math.imul(two ^ (two >>> 13), 3_266_489_909);
  two = Math.imul(two ^ (two >>> 16), 2_246_822_507);
  two ^= Math.imul(one ^ (one >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & two) + (one >>> 0);
}

function keyOf(state: State): string {
  const { coordinators, participants, messages } = state;
  // Those that only ever agree are alike: one order of them stands for all.
  const [first = "", ...alike] = participants.map((p, index) =>
    [
      `${p.barrier?.operation}${p.barrier?.epoch}/${p.prepared.join()}`,
      ...coordinators.map((c) => c.votes[index]),
      ...messages
        .filter(({ participant }) => participant === index)
        .map(({ kind, epoch }) => `${kind}${epoch}`),
    ].join(),
  );
  return [
    state.order,
    state.epoch,
    state.decision,
    state.takeovers,
    state.lastResorts,
    state.mishaps,
    ...coordinators.map((c) => `${c.epoch}${c.phase}`),
    first,
    ...alike.toSorted(),
  ].join("|");
}

function wayTo(end: Reached): string[] {
  const way: string[] = [];
  for (let each = end; each.before !== null; each = each.before) {
    way.unshift(each.name);
  }
  return way;
}
