import { keyOf, tidy } from "./fold-states.ts";
import { hear, takeOver } from "./model-coordinator.ts";
import { participate } from "./model-participant.ts";
import {
  coordinator,
  isVote,
  toAll,
  type Bugs,
  type Message,
  type State,
} from "./two-phase-model.ts";

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
        const key = keyOf(after);
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

function wayTo(end: Reached): string[] {
  const way: string[] = [];
  for (let each = end; each.before !== null; each = each.before) {
    way.unshift(each.name);
  }
  return way;
}
