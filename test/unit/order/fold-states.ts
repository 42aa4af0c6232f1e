import {
  isVote,
  type Bugs,
  type Message,
  type State,
} from "./two-phase-model.ts";

/** The same state without what makes no difference any more. */
export function tidy(state: State, bugs: Bugs): State {
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

/** The same for states that are alike. */
export function keyOf(state: State): number {
  return hashOf(describe(state));
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

function describe(state: State): string {
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
