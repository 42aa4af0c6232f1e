import { MODES, type Mode } from "./scenario.ts";

/** @throws Error where it is none. */
export function chooseMode({ mode }: { mode?: string }): Mode | undefined {
  const chosen = MODES.find((each) => each === mode);
  if (mode !== undefined && chosen === undefined) {
    throw new Error(`--mode takes one of ${MODES.join(", ")}`);
  }
  return chosen;
}

/**
 * A count (`seeds`), or numbers and ranges (`seed`: `17,20-23`). Without any choice, five; with points, none.
 *
 * @throws Error where no seed is named.
 */
export function chooseSeeds({
  points,
  seeds = points === undefined ? "5" : undefined,
  seed = seeds && `1-${seeds}`,
}: {
  points?: string;
  seeds?: string | undefined;
  seed?: string | undefined;
}): number[] {
  if (seed === undefined) return [];
  const chosen = seed.split(",").map(rangeOf);
  if (chosen.some(({ length }) => length === 0)) {
    throw new Error("--seeds takes a count, --seed whole numbers and ranges");
  }
  return chosen.flat();
}

/** The command that plays these seeds again. */
export function replayOf(
  seeds: readonly number[],
  mode: Mode | undefined,
): string {
  const only = mode === undefined ? "" : ` --mode ${mode}`;
  return `npm run test:faults -- --seed ${seeds.join(",")}${only}`;
}

/** None where the text is no number or range. */
function rangeOf(text: string): number[] {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, index) => Number(first) + index);
}
