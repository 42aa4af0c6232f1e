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
  type SpanOptions,
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
import { emptyContext } from "../runtime/linked-context.ts";
import {
  requestId,
  requestIdHeader,
  withRequestId,
} from "../runtime/request-id.ts";
import { sharedAttributes } from "../runtime/span-encoder.ts";

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

/** Begins to observe a call that came in. Its parent is the trace in the request's headers, and so is its request's id. */
export function observeServerCall<Headers>(
  method: DescMethod,
  headers: Headers,
  getter: TextMapGetter<Headers>,
): ObservedCall {
  const parent = propagation.extract(emptyContext, headers, getter);
  const id = getter.get(headers, requestIdHeader);
  return observe(
    SpanKind.SERVER,
    method,
    withRequestId(parent, Array.isArray(id) ? id[0] : id),
  );
}

/** Begins to observe a call that goes out, and writes the trace into its headers. */
export function observeClientCall<Headers>(
  method: DescMethod,
  headers: Headers,
  setter: TextMapSetter<Headers>,
): ObservedCall {
  const active = context.active();
  const parent = active === ROOT_CONTEXT ? emptyContext : active;
  const call = observe(SpanKind.CLIENT, method, parent);
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
  const span = tracer.startSpan(labels.name, labels.options, parent);
  return {
    span,
    context: trace.setSpan(parent, span),
    end(code) {
      const outcome = labels.with(code ?? 0);
      if (code !== undefined && isFailure(kind, code)) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        // Of the others the edge's own span has it: an attribute of its own costs a span 2 us.
        const id = requestId(parent);
        if (id !== undefined) span.setAttribute("weft.request_id", id);
      }
      // Last: what all have in common can't be added to.
      describe(span, outcome.attributes);
      span.end();
      const seconds = (performance.now() - startedAt) / 1000;
      count(durations[kind], outcome.durations, seconds);
    },
  };
}

/**
 * Gives a span what all calls of its method and outcome have in common. The SDK would copy and check each attribute of each
 * span, twice; so a sampler sees a call's name and kind, and attributes come when it ends.
 */
function describe(span: Span | RecordedSpan, shared: Attributes): void {
  if ("attributes" in span) {
    const isAlone = Object.keys(span.attributes).length === 0;
    span.attributes = isAlone ? shared : { ...span.attributes, ...shared };
  }
}

/** A span of the SDK. Its types only let attributes be read. */
interface RecordedSpan {
  attributes: Attributes;
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
  readonly options: SpanOptions;
  with(code: number): Outcome;
}

/** What all calls of a method that end with a code say of themselves. */
interface Outcome {
  readonly attributes: Attributes;
  readonly durations: HistogramSeries;
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
  const byCode = new Map<number, Outcome>();
  const labels: Labels = {
    name: `${method.parent.typeName}/${method.name}`,
    options: { kind },
    with(code) {
      const made = byCode.get(code) ?? outcomeOf(kind, method, code);
      byCode.set(code, made);
      return made;
    },
  };
  knownLabels[kind].set(method, labels);
  return labels;
}

function outcomeOf(
  kind: keyof typeof durations,
  method: DescMethod,
  code: number,
): Outcome {
  const attributes = sharedAttributes({
    "rpc.system": "grpc",
    "rpc.service": method.parent.typeName,
    "rpc.method": method.name,
    "rpc.grpc.status_code": code,
  });
  return { attributes, durations: durations[kind].bind(attributes) };
}
