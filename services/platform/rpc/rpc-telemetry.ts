import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type TextMapGetter,
  type TextMapSetter,
} from "@opentelemetry/api";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  declareHistogram,
  observe as count,
  type HistogramSeries,
} from "../runtime/histogram.ts";

/** One observed call: its span is current while it runs, its end is counted once. */
export interface ObservedCall {
  readonly span: Span;
  /** The context to run the call in. */
  readonly context: Context;
  /** Ends the span and counts the call, by its code; undefined is OK. */
  end(code: Code | undefined): void;
}

const tracer = trace.getTracer("weft.rpc");

// OpenTelemetry's names (semantic conventions, RPC), in seconds.
const durations = {
  [SpanKind.SERVER]: durationOf("rpc.server.duration"),
  [SpanKind.CLIENT]: durationOf("rpc.client.duration"),
} as const;

function durationOf(name: string) {
  return declareHistogram({
    scope: "weft.rpc",
    name,
    unit: "s",
    boundaries: [
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ],
  });
}

/** Begins to observe a call that came in. Its parent is the trace in the request's headers. */
export function observeServerCall<Headers>(
  method: DescMethod,
  headers: Headers,
  getter: TextMapGetter<Headers>,
): ObservedCall {
  const parent = propagation.extract(ROOT_CONTEXT, headers, getter);
  return observe(SpanKind.SERVER, method, parent);
}

/** Begins to observe a call that goes out, and writes the trace into its headers. */
export function observeClientCall<Headers>(
  method: DescMethod,
  headers: Headers,
  setter: TextMapSetter<Headers>,
): ObservedCall {
  const call = observe(SpanKind.CLIENT, method, context.active());
  propagation.inject(call.context, headers, setter);
  return call;
}

function observe(
  kind: keyof typeof durations,
  method: DescMethod,
  parent: Context,
): ObservedCall {
  const startedAt = performance.now();
  const labels = labelsOf(kind, method);
  const span = tracer.startSpan(
    labels.name,
    { kind, attributes: labels.attributes },
    parent,
  );
  return {
    span,
    context: trace.setSpan(parent, span),
    end(code) {
      span.setAttribute("rpc.grpc.status_code", code ?? 0);
      if (code !== undefined && isFailure(kind, code)) {
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
      const seconds = (performance.now() - startedAt) / 1000;
      count(durations[kind], labels.durationsWith(code ?? 0), seconds);
    },
  };
}

/** A server span is an error only where the server is at fault (semantic conventions, gRPC). */
function isFailure(kind: SpanKind, code: Code): boolean {
  return kind === SpanKind.CLIENT || serverFaults.has(code);
}

const serverFaults: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

interface Labels {
  readonly name: string;
  readonly attributes: Attributes;
  durationsWith(code: number): HistogramSeries;
}

const knownLabels = {
  [SpanKind.SERVER]: new WeakMap<DescMethod, Labels>(),
  [SpanKind.CLIENT]: new WeakMap<DescMethod, Labels>(),
} as const;

/** Labels are made once a method and code: 17 codes at most, so the cache is bounded by the contracts. */
function labelsOf(kind: keyof typeof durations, method: DescMethod): Labels {
  const known = knownLabels[kind].get(method);
  if (known) {
    return known;
  }
  const attributes = {
    "rpc.system": "grpc",
    "rpc.service": method.parent.typeName,
    "rpc.method": method.name,
  };
  const byCode = new Map<number, HistogramSeries>();
  const labels: Labels = {
    name: `${method.parent.typeName}/${method.name}`,
    attributes,
    durationsWith(code) {
      const bound =
        byCode.get(code) ??
        durations[kind].bind({ ...attributes, "rpc.grpc.status_code": code });
      byCode.set(code, bound);
      return bound;
    },
  };
  knownLabels[kind].set(method, labels);
  return labels;
}
