import {
  ARENA,
  SLACK,
  storedBytes,
  type KernelOrder,
} from "../kernel/kernel.ts";
import { createTypescriptKernel } from "../kernel/typescript/typescript-kernel.ts";

/** Compares two records as runs store them, in the kernel's own order. For a few, not for many. */
export function compareStored(
  order: KernelOrder,
  a: Uint8Array,
  b: Uint8Array,
): number {
  const kernel = createTypescriptKernel(
    ARENA + a.length + b.length + 3 * SLACK,
  );
  kernel.configure(order);
  const first = ARENA;
  const second = ARENA + a.length + SLACK;
  kernel.bytes.set(a, first);
  kernel.bytes.set(b, second);
  const keysOnly = order.unique !== "no";
  const find = (after: boolean) =>
    kernel.findRecord(
      first,
      first + a.length,
      second,
      b.length - storedBytes(order, 0),
      after,
      keysOnly,
    ) === first;
  // `a` is found when it is not before `b`, and, with `after`, only when it is behind it.
  return find(true) ? 1 : find(false) ? 0 : -1;
}
