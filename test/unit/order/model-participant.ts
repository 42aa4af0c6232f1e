import {
  judge,
  type Verdict,
} from "../../../services/platform/data/branch-barrier.ts";
import { hear } from "./model-coordinator.ts";
import {
  send,
  type Bugs,
  type Message,
  type Participant,
  type State,
} from "./two-phase-model.ts";

/** A participant as `two-phase.ts` and its barrier have it: all that may come of a request. */
export function participate(
  state: State,
  message: Message,
  bugs: Bugs,
): State[] {
  return answersOf(state, message, bugs).flatMap((answer) =>
    deliverAnswer(state, message, answer, bugs),
  );
}

type Answer = readonly [kind: Message["kind"], after: Participant];

function answersOf(state: State, message: Message, bugs: Bugs): Answer[] {
  const { epoch, participant, kind } = message;
  const before = state.participants[participant] ?? NEW;
  if (kind === "commit") return [commit(before, epoch, bugs)];
  if (before.prepared.some((other) => other > epoch))
    return [["stale", before]];
  const upTo = kind === "rollback" ? epoch : epoch - 1;
  const prepared = before.prepared.filter((other) => other > upTo);
  const after = { ...before, prepared };
  if (kind === "rollback") return [rollBack(before, after, epoch, bugs)];
  return prepared.includes(epoch)
    ? [["yes", before]]
    : prepare(before, after, message);
}

const NEW: Participant = { barrier: null, prepared: [] };

function commit(before: Participant, epoch: number, bugs: Bugs): Answer {
  if (before.prepared.includes(epoch)) {
    const barrier = { operation: "prepare", epoch } as const;
    return ["done", { barrier, prepared: [] }];
  }
  const isKnown =
    before.barrier?.operation === "prepare" && !bugs.forgetsCommits;
  return [isKnown ? "done" : "stale", before];
}

function rollBack(
  before: Participant,
  after: Participant,
  epoch: number,
  bugs: Bugs,
): Answer {
  const verdict = verdictOf(before, "rollback", epoch);
  if (verdict !== "enter") {
    return [verdict === "repeated" ? "done" : "stale", after];
  }
  const mark = { operation: "rollback", epoch } as const;
  return ["done", bugs.noTombstone ? after : { ...after, barrier: mark }];
}

function prepare(
  before: Participant,
  after: Participant,
  { epoch, participant }: Message,
): Answer[] {
  const verdict = verdictOf(before, "prepare", epoch);
  switch (verdict) {
    case "enter":
      return [
        ["yes", { ...before, prepared: [epoch] }],
        // All are alike: it is enough that one of them may refuse.
        ...(participant === 0 ? [["no", after] as const] : []),
      ];
    case "repeated":
      return [["yes", before]];
    case "rolled back":
      return [["no", after]];
    case "committed":
    case "stale":
      return [["stale", after]];
  }
}

function verdictOf(
  { barrier }: Participant,
  operation: "prepare" | "rollback",
  epoch: number,
): Verdict {
  const known = barrier && { ...barrier, epoch: BigInt(barrier.epoch) };
  return judge(known ?? undefined, { operation, epoch: BigInt(epoch) });
}

/** It is heard, or, by a mishap, lost. */
function deliverAnswer(
  state: State,
  { kind: asked, epoch, participant }: Message,
  [kind, after]: Answer,
  bugs: Bugs,
): State[] {
  const participants = state.participants.with(participant, after);
  const answered = { ...state, participants };
  const reply = { kind, epoch, participant };
  // A vote may come late, and mean something else by then. Of the second phase only the order of its effects matters.
  const heard =
    asked === "prepare" ? send(answered, [reply]) : hear(answered, reply, bugs);
  return state.mishaps === 0
    ? [heard]
    : [heard, { ...answered, mishaps: state.mishaps - 1 }];
}
