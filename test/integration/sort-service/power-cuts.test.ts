import {
  mkdir,
  mkdtemp,
  open,
  readlink,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type {
  OrderedOutput,
  WorkOrder,
} from "../../../services/sort/domain/work-order.ts";
import { carryOut } from "../../../services/sort/worker/carry-out.ts";

test("syncs an output, and then the folder that names it, before its job is done", async () => {
  const world = await setup();

  await world.sortTo(world.outbox);

  expect(world.synced()).toEqual([
    expect.stringMatching(/\/outbox\/\.sorted\.\w+\.partial$/),
    join(world.folder, "outbox"),
    join(world.folder, "outbox"),
  ]);
});

test("syncs the folder of an output that a process before it has named and not synced", async () => {
  const world = await setup();
  const cut = vi.fn((path: string) => {
    if (path.endsWith("/outbox")) throw new Error("the power was cut");
  });
  world.beforeSync(cut);
  await expect(world.sortTo(world.outbox)).rejects.toThrow("power");
  world.beforeSync(() => undefined);
  const before = world.synced().length;

  await world.sortTo(world.outbox);

  expect(world.synced().slice(before)).toEqual([join(world.folder, "outbox")]);
});

test("syncs an output that waits to be sent before it is noted as sorted", async () => {
  const world = await setup();

  await expect(
    world.sortTo({ kind: "url", compression: "none" }),
  ).rejects.toThrow("nobody answers");

  expect(world.synced().slice(0, 2)).toEqual([
    expect.stringMatching(/\/job\/\.output\.\w+\.partial$/),
    join(world.folder, "job"),
  ]);
});

/** Carries out orders in this process, and sees what it syncs. */
async function setup() {
  const folder = await mkdtemp(join(tmpdir(), "weft-power-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "in"), "b\na\n");
  const [inbox, outbox] = [join(folder, "in"), join(folder, "outbox")];
  await mkdir(outbox);
  const synced: string[] = [];
  let beforeSync: (path: string) => void = () => undefined;
  await using probe = await open(inbox);
  // Every handle's.
  const handles = Object.getPrototypeOf(probe) as typeof probe;
  const { sync } = handles;
  const spy = vi.spyOn(handles, "sync").mockImplementation(async function (
    this: typeof probe,
  ) {
    const path = await readlink(`/proc/self/fd/${this.fd}`);
    beforeSync(path);
    await sync.call(this);
    synced.push(path);
  });
  onTestFinished(() => spy.mockRestore());
  const orderTo = (output: OrderedOutput): WorkOrder => ({
    kind: "job",
    mode: "sort",
    order: {
      record: { kind: "lines" },
      keys: [],
      reverse: false,
      stable: false,
      unique: undefined,
      top: undefined,
    },
    folder: join(folder, "job"),
    memoryBytes: 256_000_000,
    tempBytes: undefined,
    workers: 1,
    inputs: [{ kind: "path", name: "in", path: inbox, compression: "none" }],
    output,
  });
  const service = {
    ask: () => Promise.reject(new Error("nobody answers")),
    tell: () => undefined,
  };
  return {
    folder,
    outbox: {
      kind: "path",
      name: "outbox/sorted",
      path: join(outbox, "sorted"),
      compression: "none",
    } as const,
    synced: () => synced,
    beforeSync: (hook: (path: string) => void) => (beforeSync = hook),
    sortTo: (output: OrderedOutput) =>
      carryOut(orderTo(output), service, new AbortController().signal),
  };
}
