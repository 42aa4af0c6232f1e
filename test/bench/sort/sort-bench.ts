import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../median.ts";
import { machineLine, saveResult } from "../save-result.ts";
import { dropCache } from "./cold-cache.ts";
import { makeData } from "./make-data.ts";
import { measureMixedRate } from "./measure-disk.ts";
import { runMeasured, type Measured } from "./run-measured.ts";
import { SORT_CASES, type SortCase } from "./sort-cases.ts";

const main = fileURLToPath(
  new URL("../../../services/sort/cli/main.ts", import.meta.url),
);

interface Plan {
  readonly cases: readonly SortCase[];
  readonly bytes: number;
  readonly memory: string;
  readonly rounds: number;
  readonly folder: string;
}

/**
 * Sorts the same files with our command and with GNU sort (LC_ALL=C, the same threads and memory), in turn, from a cold
 * cache. `npm run bench sort -- --cases text,fixed --megabytes 1000 --memory 512M --rounds 3`.
 */
export async function run(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-sort-"));
  try {
    const plan = readPlan(folder);
    console.log(`sort on ${machineLine()}, ${plan.memory}`);
    let isMet = true;
    for (const each of plan.cases) {
      const result = await measureCase(plan, each);
      isMet &&= result.isMet;
      await keep(plan, result);
    }
    return isMet ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Written after each case, beside those of earlier runs: all of them in one take too long for some. */
async function keep(
  plan: Plan,
  result: Awaited<ReturnType<typeof measureCase>>,
): Promise<void> {
  const file = new URL("../results/sort.json", import.meta.url);
  // Only this function writes it.
  const known = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { cases: { case: string }[] })
    : { cases: [] };
  const others = known.cases.filter((each) => each.case !== result.case);
  const measured = {
    ...result,
    megabytes: plan.bytes / 1e6,
    memory: plan.memory,
    rounds: plan.rounds,
    input: dropCache() ? "cold: the page cache is dropped" : "warm",
    measuredAt: new Date().toISOString(),
  };
  await saveResult("sort", { cases: [...others, measured] });
}

function readPlan(folder: string): Plan {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      cases: { type: "string" },
      megabytes: { type: "string", default: "1000" },
      memory: { type: "string", default: "512M" },
      rounds: { type: "string", default: "3" },
    },
  });
  const names = values.cases?.split(",");
  return {
    cases: SORT_CASES.filter(({ name }) => names?.includes(name) ?? true),
    bytes: Number(values.megabytes) * 1e6,
    memory: values.memory,
    rounds: Number(values.rounds),
    folder,
  };
}

async function measureCase(plan: Plan, each: SortCase) {
  const input = join(plan.folder, `${each.data}.in`);
  if (!existsSync(input)) makeData(each.data, input, plan.bytes);
  const { size } = statSync(input);
  const ours: Measured[] = [];
  const gnu: Measured[] = [];
  const rates: number[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    dropCache();
    rates.push(await measureMixedRate(input, join(plan.folder, "disk"), size));
    dropCache();
    ours.push(await sortOurs(plan, each, input));
    if (each.gnu) {
      dropCache();
      gnu.push(await sortGnu(plan, each.gnu, input));
      if (each.isSame && round === 0) compare(plan);
    }
    removeOutputs(plan);
  }
  return report(plan, each, size, ours, gnu, median(rates));
}

function sortOurs(plan: Plan, { ours }: SortCase, input: string) {
  const output = join(plan.folder, "ours");
  const means = ["-S", plan.memory, "-T", plan.folder];
  const args = [main, ...ours, ...means, "-o", output, input];
  return runMeasured(process.execPath, args);
}

function sortGnu(plan: Plan, flags: readonly string[], input: string) {
  const output = join(plan.folder, "gnu");
  const threads = `--parallel=${availableParallelism()}`;
  const means = [threads, "-S", plan.memory, "-T", plan.folder];
  return runMeasured("sort", [...flags, ...means, "-o", output, input], {
    LC_ALL: "C",
  });
}

/** Throws where the outputs differ. */
function compare({ folder }: Plan): void {
  execFileSync("cmp", [join(folder, "ours"), join(folder, "gnu")], {
    stdio: "inherit",
  });
}

function removeOutputs({ folder }: Plan): void {
  for (const name of ["ours", "gnu"]) {
    rmSync(join(folder, name), { force: true });
  }
}

function report(
  plan: Plan,
  each: SortCase,
  bytes: number,
  ours: readonly Measured[],
  gnu: readonly Measured[],
  mixedRate: number,
) {
  const of = (all: readonly Measured[], pick: (one: Measured) => number) =>
    all.length === 0 ? 0 : round(median(all.map(pick)));
  const seconds = of(ours, (one) => one.seconds);
  const gnuSeconds = of(gnu, (one) => one.seconds);
  const gnuCpuSeconds = of(gnu, (one) => one.cpuSeconds);
  const cpuSeconds = of(ours, (one) => one.cpuSeconds);
  const ratio = gnu.length > 0 ? round(gnuSeconds / seconds) : undefined;
  const peakBytes = Math.max(...ours.map((one) => one.peakBytes));
  const result = {
    case: each.name,
    seconds,
    megabytesPerSecond: round(bytes / 1e6 / seconds),
    cpuSeconds,
    gnuSeconds,
    gnuCpuSeconds,
    ratio,
    cpuRatio: gnu.length > 0 ? round(gnuCpuSeconds / cpuSeconds) : undefined,
    least: each.least,
    aim: each.aim,
    // Without a rival nothing is shown.
    isMet: ratio !== undefined && ratio >= each.least,
    peakMegabytes: round(peakBytes / 1e6),
    peakOfBudget: round(peakBytes / budgetBytes(plan.memory)),
    // Everything is read and written twice.
    shareOfDisk: round(bytes / seconds / (mixedRate / 2)),
    mixedMegabytesPerSecond: round(mixedRate / 1e6),
    allSeconds: ours.map((one) => round(one.seconds)),
    allGnuSeconds: gnu.map((one) => round(one.seconds)),
  };
  console.log(JSON.stringify(result));
  return result;
}

function budgetBytes(memory: string): number {
  return Number.parseInt(memory, 10) * 2 ** 20;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
