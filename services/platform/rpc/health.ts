import type { Server } from "@grpc/grpc-js";
import { HealthImplementation, type ServingStatus } from "grpc-health-check";

export interface Health {
  /** Says NOT_SERVING from now on, whatever the probe finds. */
  stop(): void;
}

const probeEveryMs = 2_000;

/**
 * Answers `grpc.health.v1` for each service and, under the empty name, for the process. While `ready` fails or says no,
 * all are NOT_SERVING; the check of one's own dependencies is theirs, the liveness of the process is the answer itself.
 */
export function createHealth(
  server: Server,
  services: readonly string[],
  ready: (signal: AbortSignal) => Promise<boolean> = async () => true,
): Health {
  const names = ["", ...services];
  const health = new HealthImplementation(
    Object.fromEntries(names.map((name) => [name, "SERVING" as const])),
  );
  health.addToServer(server);
  const set = (status: ServingStatus) => {
    for (const name of names) {
      health.setStatus(name, status);
    }
  };
  const stopProbing = probe(ready, (isReady) =>
    set(isReady ? "SERVING" : "NOT_SERVING"),
  );
  return {
    stop() {
      stopProbing();
      set("NOT_SERVING");
    },
  };
}

/** Asks `ready` again and again, one question at a time, and tells each change of the answer. */
function probe(
  ready: (signal: AbortSignal) => Promise<boolean>,
  tell: (isReady: boolean) => void,
): () => void {
  let last = true;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const ask = async () => {
    // A dependency that does not answer at all is as good as one that says no.
    const isReady = await ready(AbortSignal.timeout(probeEveryMs)).catch(
      () => false,
    );
    if (stopped) {
      return;
    }
    if (isReady !== last) {
      last = isReady;
      tell(isReady);
    }
    timer = setTimeout(() => void ask(), probeEveryMs).unref();
  };
  void ask();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
