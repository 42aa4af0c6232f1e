import type { SortRow } from "./sort-rows.ts";

/** What a size costs a byte, by what 1 GB does: 1 is linear. */
export interface GrowthRow {
  readonly megabytes: number;
  readonly seconds: number;
  readonly ours: number;
  readonly gnu: number | undefined;
  /** Of the disk and the page cache alone, see `copyTwice`. */
  readonly copy: number | undefined;
  readonly byGnu: number | undefined;
  readonly shareOfCopy: number | undefined;
}

export interface Growth {
  readonly rows: readonly GrowthRow[];
  readonly terabyte: string | undefined;
}

const TERABYTE = 1e12;
/** The engine merges so many runs at once, and a run takes about so much of the memory. */
const MOST_RUNS = 512;
const RUN_OF_MEMORY = 1 / 8;
const MEMORY = 512 * 2 ** 20;

/** Cost against size, by the rows of 100-byte records in 512 MB; for a terabyte the largest size is extrapolated. */
export function growthOf(all: readonly SortRow[]): Growth {
  const rows = all
    .filter((row) => row.case === "fixed" && row.memory === "512M")
    .toSorted((a, b) => a.megabytes - b.megabytes);
  const base = rows.find(({ megabytes }) => megabytes === 1_000);
  const growth = rows.map((row) => ({
    megabytes: row.megabytes,
    seconds: row.seconds,
    ours: timesLinear(row, base, ({ seconds }) => seconds) ?? 1,
    gnu: timesLinear(row, base, ({ gnu }) => gnu?.seconds),
    copy: timesLinear(row, base, ({ copySeconds }) => copySeconds),
    byGnu: row.gnu?.ratio,
    shareOfCopy: row.shareOfCopy,
  }));
  return { rows: growth, terabyte: hoursOfTerabyte(rows.at(-1)) };
}

function timesLinear(
  row: SortRow,
  base: SortRow | undefined,
  secondsOf: (row: SortRow) => number | undefined,
): number | undefined {
  const seconds = secondsOf(row);
  const baseSeconds = base && secondsOf(base);
  if (!base || seconds === undefined || baseSeconds === undefined) {
    return undefined;
  }
  const times = seconds / row.megabytes / (baseSeconds / base.megabytes);
  return Number(times.toPrecision(3));
}

function hoursOfTerabyte(largest: SortRow | undefined): string | undefined {
  if (!largest) return undefined;
  const hours = TERABYTE / (largest.megabytesPerSecond * 1e6) / 3600;
  const memory = TERABYTE / MOST_RUNS / RUN_OF_MEMORY / 1e9;
  const runs = TERABYTE / (MEMORY * RUN_OF_MEMORY);
  return (
    `10^12 B / ${largest.megabytesPerSecond} MB/s (as ${largest.megabytes} MB) = ${hours.toFixed(2)} h, read and written twice, where ` +
    `${MOST_RUNS} runs of an eighth of the memory hold it: ${memory.toFixed(0)} GB. In 512 MB it is ${runs.toFixed(0)} runs, nearly all of which ` +
    `are merged once more first: three times read and written, ${(1.5 * hours).toFixed(2)} h`
  );
}
