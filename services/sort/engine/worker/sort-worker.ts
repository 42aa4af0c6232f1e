import { parentPort, type MessagePort } from "node:worker_threads";
import { DomainError } from "../../../platform/runtime/errors.ts";
import { createExtractor } from "../keys/create-extractor.ts";
import { openKernel } from "../kernel/open-kernel.ts";
import { checkChunk } from "./check-chunk.ts";
import type { WorkerDeps } from "./chunk.ts";
import { openControl } from "./control.ts";
import { locate } from "./locate.ts";
import { mergePart } from "./merge-part.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { sortChunk } from "./sort-chunk.ts";
import type { ChunkRead, Task, WorkerSetup } from "./tasks.ts";
import { verifyRun } from "./verify-run.ts";

/** One thread of a sort: it is set up once and then does one task at a time, blocking. */
function serve(port: MessagePort): void {
  let deps: WorkerDeps | undefined;
  const send = (message: FromWorker) => port.postMessage(message);
  port.on("message", (message: ToWorker) => {
    try {
      if (message.kind === "setup") {
        deps = setUp(message.setup);
        send({ kind: "ready", kernel: deps.kernel.name });
        return;
      }
      // The main thread sends the setup first.
      const result = perform(deps as WorkerDeps, message.task, (read) =>
        send({ kind: "read", read }),
      );
      send({ kind: "done", result });
    } catch (error) {
      send({ kind: "failed", failure: describe(error) });
    }
  });
  send({ kind: "started" });
}

function setUp(setup: WorkerSetup): WorkerDeps {
  const kernel = openKernel(setup.kernel, setup.arenaBytes);
  kernel.configure(setup.order);
  return {
    kernel,
    order: setup.order,
    control: openControl(setup.control),
    setup,
    extractor: createExtractor(setup.keys),
  };
}

function perform(
  deps: WorkerDeps,
  task: Task,
  onRead: (read: ChunkRead) => void,
) {
  switch (task.kind) {
    case "sort":
      return sortChunk(deps, task, onRead);
    case "locate":
      return locate(deps, task);
    case "merge":
      return mergePart(deps, task);
    case "check":
      return checkChunk(deps, task, onRead);
    case "verify":
      return verifyRun(deps, task);
  }
}

function describe(error: unknown) {
  if (error instanceof DomainError) {
    const { reason, message, metadata } = error;
    return { fault: reason, message, metadata };
  }
  const known = error instanceof Error ? error : new Error(String(error));
  const code = "code" in known ? String(known.code) : undefined;
  return { code, message: known.stack ?? known.message, metadata: {} };
}

if (parentPort) serve(parentPort);
