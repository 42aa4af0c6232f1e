import { DomainError } from "../../platform/runtime/errors.ts";
import type { JobFailure, JobProgress, JobResult } from "../domain/sort-job.ts";
import type {
  Ask,
  FromWorker,
  ToWorker,
  WorkOrder,
} from "../domain/work-order.ts";

/** What a job's process may ask of its service, and tell it. */
export interface Service {
  ask(ask: Ask): Promise<unknown>;
  tell(progress: JobProgress): void;
}

type CarryOut = (
  order: WorkOrder,
  service: Service,
  signal: AbortSignal,
) => Promise<JobResult>;

const aliveMs = 1_000;

/**
 * Runs `carryOut` with the order that comes, and sends what becomes of it. The process ends itself when its service is gone,
 * or has not renewed its lease: somebody else may work in its folder then.
 */
export function readEnvelope(carryOut: CarryOut): void {
  const stop = new AbortController();
  const asked = new Map<number, PromiseWithResolvers<unknown>>();
  let lastId = 0;
  let lease: NodeJS.Timeout | undefined;
  const service: Service = {
    ask(ask) {
      const id = ++lastId;
      const answer = Promise.withResolvers<unknown>();
      asked.set(id, answer);
      send({ kind: "ask", id, ask });
      return answer.promise;
    },
    tell: (progress) => send({ kind: "progress", progress }),
  };
  const settle = (
    id: number,
    end: (p: PromiseWithResolvers<unknown>) => void,
  ) => {
    const waiting = asked.get(id);
    asked.delete(id);
    if (waiting) end(waiting);
  };
  // Whoever is frozen says nothing, and is replaced.
  setInterval(() => send({ kind: "alive" }), aliveMs).unref();
  process.on("disconnect", () => process.exit(1));
  process.on("message", (message: ToWorker) => {
    switch (message.kind) {
      case "order":
        void carryOut(message.order, service, stop.signal)
          .then(
            (result): FromWorker => ({ kind: "done", result }),
            (error: unknown): FromWorker => ({
              kind: "failed",
              failure: failureOf(error),
            }),
          )
          .then((end) => process.send?.(end, () => process.disconnect?.()));
        return;
      case "lease":
        clearTimeout(lease);
        lease = setTimeout(() => process.exit(1), message.ms);
        return;
      case "cancel":
        stop.abort(cancelled());
        return;
      case "answer":
        settle(message.id, ({ resolve }) => resolve(message.value));
        return;
      case "refusal":
        settle(message.id, ({ reject }) => reject(refusalOf(message.failure)));
        return;
    }
  });
}

function send(message: FromWorker): void {
  process.send?.(message);
}

function cancelled(): DomainError {
  return new DomainError({
    code: "aborted",
    reason: "CANCELLED",
    message: "the job was cancelled",
  });
}

function refusalOf(failure: JobFailure): DomainError {
  return new DomainError({ code: "failed_precondition", ...failure });
}

function failureOf(error: unknown): JobFailure {
  if (error instanceof DomainError) {
    const { reason, message, metadata } = error;
    return { reason, message, metadata };
  }
  // A fault of ours: its text is for the log of the service, which sees standard error.
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : "unknown"}\n`,
  );
  return {
    reason: "INTERNAL",
    message: "an internal error; the log of the service knows more",
    metadata: {},
  };
}
