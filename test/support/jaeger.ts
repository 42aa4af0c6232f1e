export interface Span {
  readonly id: string;
  readonly traceId: string;
  /** The span that it is a child of; undefined for a root. */
  readonly parentId: string | undefined;
  readonly name: string;
  readonly service: string;
  /** `server`, `client`, `producer`, `consumer` or `internal`. */
  readonly kind: string;
  readonly tags: Readonly<Record<string, string | number | boolean>>;
  /** Microseconds since 1970. */
  readonly startedAt: number;
  readonly durationUs: number;
}

interface JaegerTrace {
  readonly traceID: string;
  readonly processes: Readonly<Record<string, { serviceName: string }>>;
  readonly spans: readonly JaegerSpan[];
}

interface JaegerSpan {
  readonly spanID: string;
  readonly traceID: string;
  readonly operationName: string;
  readonly processID: string;
  readonly startTime: number;
  readonly duration: number;
  readonly references: readonly { refType: string; spanID: string }[];
  readonly tags: readonly {
    key: string;
    value: string | number | boolean;
  }[];
}

/** The spans of a trace that have arrived so far; none where Jaeger does not know it. */
export async function findTrace(
  queryUrl: string,
  traceId: string,
): Promise<Span[]> {
  const traces = await query(`${queryUrl}/api/traces/${traceId}`);
  return traces.flatMap(spansOf);
}

/** The traces in which a service made a span with this tag. */
export async function findTraceIds(
  queryUrl: string,
  service: string,
  tags: Readonly<Record<string, string>>,
): Promise<string[]> {
  const search = new URLSearchParams({
    service,
    tags: JSON.stringify(tags),
    lookback: "1h",
    limit: "20",
  });
  const traces = await query(`${queryUrl}/api/traces?${search.toString()}`);
  return traces.map(({ traceID }) => traceID);
}

/** A `traceparent` header with a trace id of its own, so that a test finds the trace of its call. */
export function newTraceparent(): { traceId: string; traceparent: string } {
  const hex = (bytes: number) =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
  const traceId = hex(16);
  return { traceId, traceparent: `00-${traceId}-${hex(8)}-01` };
}

async function query(url: string): Promise<readonly JaegerTrace[]> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (response.status === 404) {
    await response.body?.cancel();
    return [];
  }
  // The shape of Jaeger's query API.
  const { data } = (await response.json()) as { data: JaegerTrace[] | null };
  return data ?? [];
}

function spansOf({ processes, spans }: JaegerTrace): Span[] {
  return spans.map((span) => {
    const tags = Object.fromEntries(
      span.tags.map(({ key, value }) => [key, value]),
    );
    return {
      id: span.spanID,
      traceId: span.traceID,
      parentId: span.references.find(({ refType }) => refType === "CHILD_OF")
        ?.spanID,
      name: span.operationName,
      service: processes[span.processID]?.serviceName ?? "unknown",
      kind: String(tags["span.kind"] ?? "internal"),
      tags,
      startedAt: span.startTime,
      durationUs: span.duration,
    };
  });
}
