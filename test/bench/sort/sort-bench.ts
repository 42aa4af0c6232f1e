import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machineLine } from "../save-result.ts";
import { dropCache } from "./cold-cache.ts";
import { copyTwice } from "./copy-twice.ts";
import { duckdbStatement } from "./duckdb-statement.ts";
import { makeData } from "./make-data.ts";
import { measureMixedRate } from "./measure-disk.ts";
import { runMeasured } from "./run-measured.ts";
import { SORT_CASES, type SortCase } from "./sort-cases.ts";
import { keepRound, tellGrowth, type Round } from "./sort-rows.ts";

const main = fileURLToPath(
  new URL("../../../services/sort/cli/main.ts", import.meta.url),
);
const duckdb = fileURLToPath(new URL("./duckdb-sort.ts", import.meta.url));

/** The disk's rate does not depend on how much is asked for, past its own buffers. */
const MIXED_BYTES = 4e9;

interface Plan {
  readonly cases: readonly SortCase[];
  readonly bytes: number;
  readonly memory: string;
  readonly rounds: number;
  /** Keeps the rounds that the result has of the same case, size and memory. */
  readonly isAdding: boolean;
  readonly peers: readonly string[];
  readonly folder: string;
}

/**
 * Sorts the same files with our command, GNU sort (LC_ALL=C) and DuckDB, with the same threads and memory, in turn, from a
 * cold cache: `npm run bench sort -- --cases text,fixed --megabytes 1000 --memory 512M --rounds 3`. A row of the result is
 * a case with a size and a memory. `--add` adds rounds to it, and `--folder` keeps the inputs, so that what takes long can
 * be measured in several takes.
 */
export async function run(): Promise<number> {
  const own = mkdtempSync(join(tmpdir(), "weft-bench-sort-"));
  try {
    const plan = readPlan(own);
    console.log(`sort on ${machineLine()}, ${plan.memory}`);
    let isMet = true;
    for (const each of plan.cases) {
      // Each is measured, whatever the others show.
      if ((await measureCase(plan, each)) === false) isMet = false;
    }
    await tellGrowth();
    return isMet ? 0 : 1;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

function readPlan(own: string): Plan {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      cases: { type: "string" },
      megabytes: { type: "string", default: "1000" },
      memory: { type: "string", default: "512M" },
      rounds: { type: "string", default: "3" },
      peers: { type: "string", default: "gnu,duckdb" },
      add: { type: "boolean", default: false },
      folder: { type: "string", default: own },
    },
  });
  const names = values.cases?.split(",");
  mkdirSync(values.folder, { recursive: true });
  return {
    cases: SORT_CASES.filter(({ name }) => names?.includes(name) ?? true),
    bytes: Number(values.megabytes) * 1e6,
    memory: values.memory,
    rounds: Number(values.rounds),
    isAdding: values.add,
    peers: values.peers.split(","),
    folder: values.folder,
  };
}

async function measureCase(
  plan: Plan,
  each: SortCase,
): Promise<boolean | undefined> {
  const input = join(plan.folder, `${each.data}-${plan.bytes / 1e6}.in`);
  if (!existsSync(input)) {
    makeData(each.data, `${input}.partial`, plan.bytes);
    renameSync(`${input}.partial`, input);
  }
  const { size } = statSync(input);
  let isMet: boolean | undefined;
  for (let round = 0; round < plan.rounds; round++) {
    const row = {
      sortCase: each,
      bytes: size,
      megabytes: plan.bytes / 1e6,
      memory: plan.memory,
      isNew: round === 0 && !plan.isAdding,
    };
    isMet = await keepRound(row, await measureRound(plan, each, input, size));
  }
  return isMet;
}

async function measureRound(
  plan: Plan,
  each: SortCase,
  input: string,
  size: number,
): Promise<Round> {
  const { peers, folder } = plan;
  try {
    const isCold = dropCache();
    const disk = join(folder, "disk");
    const most = Math.min(size, MIXED_BYTES);
    const mixedRate = await measureMixedRate(input, disk, most);
    dropCache();
    const copySeconds = await copyTwice(input, folder, size);
    dropCache();
    const ours = await sortOurs(plan, each, input);
    let gnu;
    if (each.gnu && peers.includes("gnu")) {
      // Ours is gone before GNU's runs need its place: 16 GB of input take 64 GB of disk else.
      const sorted = await takeDigest(join(folder, "ours"));
      dropCache();
      gnu = await sortGnu(plan, each.gnu, input);
      const wanted = await takeDigest(join(folder, "gnu"));
      if (each.isSame && sorted !== wanted) {
        throw new Error(`the bytes of ${each.name} are not GNU sort's`);
      }
    }
    let duck;
    if (peers.includes("duckdb")) {
      dropCache();
      duck = await sortDuckdb(plan, each, input);
    }
    const at = new Date().toISOString();
    return { at, isCold, mixedRate, copySeconds, ours, gnu, duckdb: duck };
  } finally {
    removeOutputs(plan);
  }
}

function sortDuckdb({ folder, memory }: Plan, each: SortCase, input: string) {
  const statement = duckdbStatement(each.data, input, join(folder, "duckdb"));
  const limit = memory.replace("M", "MiB").replace("G", "GiB");
  const threads = String(availableParallelism());
  const args = [duckdb, limit, threads, folder, statement];
  return runMeasured(process.execPath, args);
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

/** A digest of all bytes of a file, which is removed. */
async function takeDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  rmSync(path);
  return hash.digest("hex");
}

function removeOutputs({ folder }: Plan): void {
  for (const name of ["ours", "gnu", "duckdb", "disk"]) {
    rmSync(join(folder, name), { force: true });
  }
}
