import { constants } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";

const PIECE = 4 << 20;
/** About a run of a sort in 512 MB. */
const RUN = 64 << 20;
const LANES = 3;

/**
 * What the disk and the page cache alone take for the reading and writing of a sort, in seconds: a file is read and written
 * in pieces of the size of runs, and those are read and written into one file, by as many lanes as a sort has threads on
 * two cores. It tells how the machine itself grows with the size.
 */
export async function copyTwice(
  source: string,
  folder: string,
  bytes: number,
): Promise<number> {
  const runs = Array.from({ length: Math.ceil(bytes / RUN) }, (_, i) => i);
  const pathOf = (run: number) => join(folder, `copy-${run}`);
  const whole = join(folder, "copy");
  const startedAt = performance.now();
  try {
    await inLanes(runs, (run) => copyRange(source, pathOf(run), run * RUN, 0));
    await inLanes(runs, (run) => copyRange(pathOf(run), whole, 0, run * RUN));
    return (performance.now() - startedAt) / 1000;
  } finally {
    const made = [...runs.map(pathOf), whole];
    await Promise.all(made.map((path) => rm(path, { force: true })));
  }
}

async function inLanes(
  runs: readonly number[],
  work: (run: number) => Promise<void>,
): Promise<void> {
  const waiting = [...runs];
  const lane = async () => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      await work(run);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Up to a run's bytes. */
async function copyRange(
  from: string,
  to: string,
  fromPosition: number,
  toPosition: number,
): Promise<void> {
  await using input = await open(from, "r");
  await using output = await open(to, constants.O_WRONLY | constants.O_CREAT);
  const piece = Buffer.allocUnsafe(PIECE);
  for (let done = 0; done < RUN;) {
    const { bytesRead } = await input.read(
      piece,
      0,
      PIECE,
      fromPosition + done,
    );
    if (bytesRead === 0) break;
    await output.write(piece, 0, bytesRead, toPosition + done);
    done += bytesRead;
  }
}
