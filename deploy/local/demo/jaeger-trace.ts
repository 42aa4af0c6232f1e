import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Span } from "./trace-tree.ts";

/** Envoy hands its spans over within 5 s, the services theirs within 0.5 s. */
const DEADLINE_MS = 10_000;
const POLL_MS = 200;
const REQUEST_TIMEOUT_MS = 5_000;

export interface ReadTrace {
  readonly spans: readonly Span[];
  /** Whether every span's parent is there, and every event's producer and consumer. */
  readonly isComplete: boolean;
}

/** Reads a trace from Jaeger's query API until it is complete, or as far as it is after 10 s. */
export async function awaitTrace(
  queryUrl: string,
  trace: { readonly id: string; readonly eventIds: readonly string[] },
  signal: AbortSignal,
): Promise<ReadTrace> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const spans = await readTrace(queryUrl, trace.id, signal);
    const isComplete = isWhole(spans, trace.eventIds);
    if (isComplete || performance.now() > deadline) {
      return { spans, isComplete };
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

async function readTrace(
  queryUrl: string,
  traceId: string,
  signal: AbortSignal,
): Promise<Span[]> {
  const response = await fetch(`${queryUrl}/api/traces/${traceId}`, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  });
  if (response.status === 404) {
    await response.body?.cancel();
    return [];
  }
  if (!response.ok) {
    throw new Error(`Jaeger: ${response.status} ${await response.text()}`);
  }
  const { data } = answerSchema.parse(await response.json());
  return data.flatMap(({ spans, processes }) =>
    spans.map((span) => spanOf(span, processes)),
  );
}

function isWhole(spans: readonly Span[], eventIds: readonly string[]): boolean {
  const ids = new Set(spans.map(({ id }) => id));
  const roots = spans.filter(({ parentId }) => parentId === undefined);
  const hasParents = spans.every(
    ({ parentId }) => parentId === undefined || ids.has(parentId),
  );
  const carried = (kind: string) =>
    new Set(
      spans
        .filter((span) => span.tags["span.kind"] === kind)
        .map((span) => span.tags["messaging.message.id"]),
    );
  const produced = carried("producer");
  const consumed = carried("consumer");
  return (
    roots.length === 1 &&
    hasParents &&
    eventIds.every((id) => produced.has(id) && consumed.has(id))
  );
}

const spanSchema = z.object({
  spanID: z.string(),
  operationName: z.string(),
  references: z.array(z.object({ refType: z.string(), spanID: z.string() })),
  startTime: z.number(),
  duration: z.number(),
  tags: z.array(z.object({ key: z.string(), value: z.unknown() })),
  processID: z.string(),
});
const processesSchema = z.record(
  z.string(),
  z.object({ serviceName: z.string() }),
);
const answerSchema = z.object({
  data: z.array(
    z.object({ spans: z.array(spanSchema), processes: processesSchema }),
  ),
});

function spanOf(
  span: z.infer<typeof spanSchema>,
  processes: z.infer<typeof processesSchema>,
): Span {
  const parent = span.references.find(({ refType }) => refType === "CHILD_OF");
  return {
    id: span.spanID,
    parentId: parent?.spanID,
    service: processes[span.processID]?.serviceName ?? "unknown",
    operation: span.operationName,
    startUs: span.startTime,
    durationUs: span.duration,
    tags: Object.fromEntries(
      span.tags.map(({ key, value }) => [key, String(value)]),
    ),
  };
}
