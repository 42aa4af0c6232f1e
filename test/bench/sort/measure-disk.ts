import { constants } from "node:fs";
import { open, rm } from "node:fs/promises";
import { openKernel } from "../../../services/sort/engine/kernel/open-kernel.ts";

const PIECE = 4 << 20;
const IN_FLIGHT = 4;

/**
 * The disk's mixed rate, in bytes of each direction a second: a file is read and another written at once, past the page
 * cache. A sort that reads and writes everything twice cannot be faster than half of it.
 */
export async function measureMixedRate(
  source: string,
  target: string,
  bytes: number,
): Promise<number> {
  const { O_RDONLY, O_WRONLY, O_CREAT, O_DIRECT } = constants;
  await using input = await open(source, O_RDONLY | O_DIRECT);
  await using output = await open(target, O_WRONLY | O_CREAT | O_DIRECT);
  const whole = Math.floor(bytes / PIECE);
  let next = 0;
  const lane = async () => {
    const piece = alignedPiece();
    while (next < whole) {
      const position = PIECE * next++;
      await input.read(piece, 0, PIECE, position);
      await output.write(piece, 0, PIECE, position);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  const seconds = (performance.now() - startedAt) / 1000;
  await rm(target);
  return (whole * PIECE) / seconds;
}

/** Direct I/O wants addresses on a page's edge, where WebAssembly's memory begins. */
function alignedPiece(): Uint8Array {
  return openKernel("wasm", PIECE).bytes.subarray(0, PIECE);
}
