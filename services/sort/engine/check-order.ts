import { checkOptions, checkSpec } from "./check-spec.ts";
import { compareStored } from "./job/compare-stored.ts";
import { knowInput } from "./job/inputs.ts";
import type { Manifest } from "./job/manifest.ts";
import { openJob, openStop, wantedWorkers } from "./job/open-job.ts";
import { forEachChunk } from "./job/sort-phase.ts";
import { startWorkers } from "./job/worker-pool.ts";
import type { SortOptions } from "./sort-options.ts";
import type { SortSpec } from "./sort-spec.ts";
import type { Checked } from "./worker/tasks.ts";

export interface OrderCheck {
  readonly records: number;
  /** The first record that is out of order (with `unique`, or equal to its predecessor). */
  readonly disorder:
    { readonly record: number; readonly text: Uint8Array } | undefined;
}

/** Tells whether the records of the inputs, as one sequence, are sorted as the spec says. Nothing is written. */
export async function checkOrder(
  spec: Omit<SortSpec, "output">,
  options: Omit<SortOptions, "jobFolder">,
): Promise<OrderCheck> {
  const whole: SortSpec = {
    ...spec,
    output: { kind: "stream", name: "nowhere", write: async () => {} },
  };
  const all: SortOptions = { ...options, jobFolder: "" };
  checkSpec(whole);
  checkOptions(all);
  using end = openStop(options.signal, "check");
  const { stop, control } = end;
  const found = spec.inputs.map(knowInput);
  await using pool = await startWorkers(wantedWorkers(all));
  const start = { spec: whole, options: all, found, control, stop };
  const { job } = await openJob({ ...start, manifest: noManifest }, pool);
  const strict = spec.unique !== undefined;
  const chunks: (Checked & { input: number; from: number })[] = [];
  await forEachChunk(job, async (worker, { input, from }, source, onRead) => {
    const task = { kind: "check", source, strict } as const;
    const checked = await worker.run(task, onRead);
    chunks.push({ ...checked, input, from });
  });
  const inOrder = chunks.toSorted(
    (a, b) => a.input - b.input || a.from - b.from,
  );
  return firstDisorder(inOrder, (a, b) => compareStored(job.plan.order, a, b));

  function firstDisorder(
    checked: readonly Checked[],
    compare: (a: Uint8Array, b: Uint8Array) => number,
  ): OrderCheck {
    let records = 0;
    let last: Uint8Array | undefined;
    for (const chunk of checked.filter((each) => each.records > 0)) {
      const order = last ? compare(last, chunk.first) : -1;
      if (order > 0 || (order === 0 && strict)) {
        return { records, disorder: { record: records, text: chunk.first } };
      }
      if (chunk.disorder >= 0) {
        const record = records + chunk.disorder;
        return { records, disorder: { record, text: chunk.wrong } };
      }
      records += chunk.records;
      last = chunk.last;
    }
    return { records, disorder: undefined };
  }
}

const noManifest: Manifest = {
  lines: [],
  append: () => {},
  [Symbol.dispose]: () => {},
};
