import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  status as code,
  type handleServerStreamingCall as HandleServerStream,
  type handleUnaryCall as HandleUnary,
  type Server,
} from "@grpc/grpc-js";
import {
  Health as HealthService,
  HealthCheckResponse_ServingStatus as Status,
  type HealthCheckRequest,
  type HealthCheckResponseSchema,
  type HealthListRequest,
  type HealthListResponseSchema,
} from "../../../gen/ts/health/v1/health_pb.ts";
import { plainDefinition } from "./plain-definition.ts";

export interface Health {
  /** Says NOT_SERVING from now on, whatever the probe finds. */
  stop(): void;
}

type Answer = MessageInitShape<typeof HealthCheckResponseSchema>;

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
  const names = new Set(["", ...services]);
  const watchers = new Set<() => void>();
  let status: Status = Status.SERVING;

  const check: HandleUnary<HealthCheckRequest, Answer> = (call, callback) => {
    const { service } = call.request;
    if (names.has(service)) callback(null, { status });
    else callback({ code: code.NOT_FOUND, details: `no service ${service}` });
  };
  const watch: HandleServerStream<HealthCheckRequest, Answer> = (call) => {
    const isKnown = names.has(call.request.service);
    const tell = () => {
      call.write({ status: isKnown ? status : Status.SERVICE_UNKNOWN });
    };
    tell();
    // No service is added later: who asks for one that is unknown waits for nothing.
    if (isKnown) watchers.add(tell);
    call.on("cancelled", () => watchers.delete(tell));
  };
  const list: HandleUnary<
    HealthListRequest,
    MessageInitShape<typeof HealthListResponseSchema>
  > = (_, callback) => {
    const statuses = [...names].map((name) => [name, { status }] as const);
    callback(null, { statuses: Object.fromEntries(statuses) });
  };
  server.addService(plainDefinition(HealthService), { check, watch, list });

  const set = (changed: Status) => {
    if (changed === status) return;
    status = changed;
    for (const tell of watchers) tell();
  };
  const stopProbing = probe(ready, (isReady) =>
    set(isReady ? Status.SERVING : Status.NOT_SERVING),
  );
  return {
    stop() {
      stopProbing();
      set(Status.NOT_SERVING);
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
