import { median } from "../median.ts";
import { savedResult, saveResult } from "../save-result.ts";
import type { Measured } from "./run-measured.ts";
import type { SortCase } from "./sort-cases.ts";
import { growthOf } from "./sort-growth.ts";

/** One side-by-side: everybody sorted the same file once, in turn. */
export interface Round {
  readonly at: string;
  readonly isCold: boolean;
  /** Bytes a second, see {@link measureMixedRate}. */
  readonly mixedRate: number;
  /** See {@link copyTwice}; missing in rounds of a time that did not measure it. */
  readonly copySeconds?: number;
  readonly ours: Measured;
  readonly gnu: Measured | undefined;
  readonly duckdb: Measured | undefined;
}

/** What a row of the result is about. */
export interface RowKey {
  readonly sortCase: SortCase;
  readonly bytes: number;
  readonly megabytes: number;
  readonly memory: string;
  /** Earlier rounds of this row are forgotten. */
  readonly isNew: boolean;
}

export type SortRow = ReturnType<typeof rowOf>;

/**
 * Adds a round to its row and writes the result, so that no later failure loses it; returns whether the row's aims are
 * met, or undefined where no rival was there to show it.
 */
export async function keepRound(
  key: RowKey,
  round: Round,
): Promise<boolean | undefined> {
  // Only this function writes it.
  const { cases = [] } = (await savedResult("sort")) as { cases?: SortRow[] };
  const isSame = (row: SortRow) =>
    row.case === key.sortCase.name &&
    row.megabytes === key.megabytes &&
    row.memory === key.memory;
  const earlier = key.isNew ? [] : (cases.find(isSame)?.measured ?? []);
  const row = rowOf(key, [...earlier, round]);
  const rows = [...cases.filter((each) => !isSame(each)), row];
  await saveResult("sort", { cases: rows, growth: growthOf(rows) });
  const { measured: _, ...told } = row;
  console.log(JSON.stringify(told));
  return row.isMet;
}

/** Prints what the sizes measured so far cost. */
export async function tellGrowth(): Promise<void> {
  const { cases = [] } = (await savedResult("sort")) as { cases?: SortRow[] };
  const { rows, terabyte } = growthOf(cases);
  console.log("cost a byte by that of 1 GB, 100-byte records in 512 MB:");
  console.table(rows);
  if (terabyte) console.log(`1 TB: ${terabyte}`);
}

function rowOf(key: RowKey, rounds: readonly Round[]) {
  const { sortCase, bytes, megabytes, memory } = key;
  const all = (who: "ours" | "gnu" | "duckdb") =>
    rounds.flatMap((round) => round[who] ?? []);
  const ours = all("ours");
  const seconds = median(ours.map((one) => one.seconds));
  const peak = Math.max(...ours.map((one) => one.peakBytes));
  const mixed = median(rounds.map(({ mixedRate }) => mixedRate));
  const copies = rounds.flatMap(({ copySeconds }) => copySeconds ?? []);
  const copy = copies.length > 0 ? median(copies) : undefined;
  const gnu = compareWith(ours, all("gnu"), sortCase.least);
  const duckdb = compareWith(ours, all("duckdb"), 1);
  return {
    case: sortCase.name,
    megabytes,
    memory,
    rounds: rounds.length,
    input: rounds.every(({ isCold }) => isCold)
      ? "cold: the page cache is dropped"
      : "warm",
    measuredAt: rounds.at(-1)?.at,
    seconds: digits(seconds),
    megabytesPerSecond: digits(bytes / 1e6 / seconds),
    cpuSeconds: digits(median(ours.map((one) => one.cpuSeconds))),
    gnu,
    duckdb,
    least: sortCase.least,
    aim: sortCase.aim,
    isMet: gnu || duckdb ? isMetBy(gnu) && isMetBy(duckdb) : undefined,
    peakMegabytes: digits(peak / 1e6),
    peakOfBudget: digits(peak / budgetBytes(memory)),
    // Everything is read and written twice.
    shareOfDisk: digits(bytes / seconds / (mixed / 2)),
    mixedMegabytesPerSecond: digits(mixed / 1e6),
    copySeconds: copy && digits(copy),
    shareOfCopy: copy && digits(copy / seconds),
    measured: rounds,
  };
}

function compareWith(
  ours: readonly Measured[],
  theirs: readonly Measured[],
  least: number,
) {
  if (theirs.length === 0) return undefined;
  const of = (all: readonly Measured[], what: "seconds" | "cpuSeconds") =>
    median(all.map((one) => one[what]));
  const ratio = of(theirs, "seconds") / of(ours, "seconds");
  return {
    seconds: digits(of(theirs, "seconds")),
    cpuSeconds: digits(of(theirs, "cpuSeconds")),
    ratio: digits(ratio),
    cpuRatio: digits(of(theirs, "cpuSeconds") / of(ours, "cpuSeconds")),
    peakMegabytes: digits(
      Math.max(...theirs.map((one) => one.peakBytes)) / 1e6,
    ),
    isMet: ratio >= least,
  };
}

function isMetBy(rival: { readonly isMet: boolean } | undefined): boolean {
  return rival?.isMet ?? true;
}

function budgetBytes(memory: string): number {
  const unit = memory.endsWith("G") ? 2 ** 30 : 2 ** 20;
  return Number.parseInt(memory, 10) * unit;
}

function digits(value: number): number {
  return Number(value.toPrecision(3));
}
