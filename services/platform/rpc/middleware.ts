import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { context as otelContext, type TextMapGetter } from "@opentelemetry/api";
import type { ConnectError } from "@connectrpc/connect";
import {
  Code,
  type HandlerContext,
  type MethodImpl,
  type ServiceImpl,
} from "@connectrpc/connect";
import { createAuditLog, type AuditLog } from "../audit/audit-log.ts";
import type { Logger } from "../runtime/logger.ts";
import { createAnswerBatcher } from "./answer-batch.ts";
import { audited } from "./audited-calls.ts";
import { authorize } from "./authorize.ts";
import { type CallScope, runInScope } from "./call-scope.ts";
import { callerKey, callerOf, peerKey, type Caller } from "./caller.ts";
import { checkedMessages } from "./checked-messages.ts";
import { limitDeadline } from "./deadline.ts";
import { GrpcContext } from "./grpc-context.ts";
import { endOfCall, mapError } from "./map-error.ts";
import { runOnce, type OnceDeps, type OnceOptions } from "./once.ts";
import { policyOf } from "./policy.ts";
import { fieldWithNul, isNulRefusal, refuseNul } from "./refuse-nul.ts";
import {
  applyHeaderKey,
  idempotencyKeyHeader,
  isNameable,
  requestKeyOf,
  type Nameable,
} from "./request-key.ts";
import { withRequestInfo } from "./request-info.ts";
import { observeServerCall } from "./rpc-telemetry.ts";
import type { HeaderReader } from "./header-reader.ts";
import type { Validate } from "./validate.ts";

export interface MiddlewareDeps {
  readonly logger: Logger;
  readonly validate: Validate;
  /** Knows of every call of the methods whose policy says so; without it, the log alone does. */
  readonly audit?: AuditLog | undefined;
  /** Answers requests that their callers name (AIP-155) once; without it a name is left to the handlers. */
  readonly once?: OnceOptions | undefined;
}

/**
 * Wraps an implementation in what holds for every call, whichever server it is mounted on: telemetry, identity and
 * policy, deadline, validation, one answer for requests of one name, error mapping, in this order. Of a client's stream
 * each message is validated as the handler comes to it, and the handler's wait for the next one ends with the call.
 *
 * @throws Error for a method whose contract states no policy.
 */
export function withMiddleware<Desc extends DescService>(
  deps: MiddlewareDeps,
  service: Desc,
  implementation: ServiceImpl<Desc>,
): ServiceImpl<Desc> {
  const wrapped: Record<string, unknown> = {};
  for (const method of service.methods) {
    policyOf(method);
    // ServiceImpl maps a method's local name to its implementation; the loop loses which one.
    const handler = (implementation as Record<string, unknown>)[
      method.localName
    ];
    wrapped[method.localName] = wrap(deps, method, handler as AnyHandler);
  }
  return wrapped as ServiceImpl<Desc>;
}

type AnyUnary = MethodImpl<DescMethodUnary>;
type AnyServerStream = MethodImpl<DescMethodServerStreaming>;
type AnyClientStream = MethodImpl<DescMethodClientStreaming>;
type AnyBidiStream = MethodImpl<DescMethodBiDiStreaming>;
type AnyHandler = AnyUnary & AnyServerStream & AnyClientStream & AnyBidiStream;

function wrap(deps: MiddlewareDeps, method: DescMethod, handler: AnyHandler) {
  const wrapped = wrapKind(deps, method, handler);
  if (!policyOf(method).audited) return wrapped;
  const { logger, audit = createAuditLog({ logger }) } = deps;
  return audited({ logger, audit }, method, wrapped, headerReader);
}

function wrapKind(
  deps: MiddlewareDeps,
  method: DescMethod,
  handler: AnyHandler,
) {
  switch (method.methodKind) {
    case "unary":
      return wrapUnary(deps, method, handler);
    case "client_streaming":
      return wrapClientStream(deps, method, handler);
    case "server_streaming":
      return wrapServerStream(deps, method, handler);
    case "bidi_streaming":
      return wrapBidiStream(deps, method, handler);
  }
}

function wrapUnary(
  deps: MiddlewareDeps,
  method: DescMethod,
  handler: AnyUnary,
): AnyUnary {
  const { once: options, logger } = deps;
  const nameable = isNameable(method);
  const once = options &&
    nameable && {
      options,
      logger,
      answers: createAnswerBatcher({ db: options.db, logger }),
    };
  return (request, context) => {
    const work = (limited: HandlerContext) => {
      if (nameable) {
        const header = headerReader(limited)(idempotencyKeyHeader);
        applyHeaderKey(request as Nameable, header);
      }
      deps.validate(method.input, request);
      return handle(once, method, handler, request, limited);
    };
    return answerOnce(deps, method, context, work, request);
  };
}

function wrapClientStream(
  deps: MiddlewareDeps,
  method: DescMethod,
  handler: AnyClientStream,
): AnyClientStream {
  return (requests, context) =>
    answerOnce(deps, method, context, (limited) =>
      handler(
        checkedMessages(deps.validate, method.input, requests, limited.signal),
        limited,
      ),
    );
}

/** Runs the handler, or gives the first answer to a request of this name again. */
function handle(
  once: Pick<OnceDeps, "options" | "logger" | "answers"> | false | undefined,
  method: DescMethod,
  handler: AnyUnary,
  request: MessageShape<DescMessage>,
  context: HandlerContext,
) {
  const work = () => handler(request, context);
  if (!once) return work();
  // The contract gives it a request_id, by isNameable.
  const key = requestKeyOf(method, request as Nameable, callerOf(context));
  return key === undefined
    ? work()
    : runOnce(
        {
          ...once,
          method,
          context,
          throwIfEnded: () => throwIfAborted(context),
        },
        key,
        work,
      );
}

function wrapServerStream(
  deps: MiddlewareDeps,
  method: DescMethod,
  handler: AnyServerStream,
): AnyServerStream {
  return (request, context) => {
    const work = (limited: HandlerContext) => {
      deps.validate(method.input, request);
      return handler(request, limited);
    };
    return answerMany(deps, method, context, work, request);
  };
}

function wrapBidiStream(
  deps: MiddlewareDeps,
  method: DescMethod,
  handler: AnyBidiStream,
): AnyBidiStream {
  return (requests, context) =>
    answerMany(deps, method, context, (limited) =>
      handler(
        checkedMessages(deps.validate, method.input, requests, limited.signal),
        limited,
      ),
    );
}

type Answer = MessageInitShape<DescMessage>;
type Request = MessageShape<DescMessage>;

async function answerOnce(
  deps: MiddlewareDeps,
  method: DescMethod,
  context: HandlerContext,
  handle: (limited: HandlerContext) => Answer | Promise<Answer>,
  request?: Request,
): Promise<Answer> {
  const call = observeServerCall(method, headerReader(context), getter);
  using deadline = limitDeadline(context, policyOf(method).timeoutMs);
  try {
    const response = await otelContext.with(call.context, () => {
      const scope = openCall(method, deadline.context);
      return runInScope(scope, () => handle(deadline.context));
    });
    // A handler that outlived its call has an answer that nobody waits for.
    throwIfAborted(deadline.context);
    call.end(undefined);
    return response;
  } catch (error) {
    const { signal } = deadline.context;
    const mapped = otelContext.with(call.context, () =>
      logAndMap(deps, method, error, signal, request),
    );
    call.end(mapped.code);
    throw mapped;
  }
}

async function* answerMany(
  deps: MiddlewareDeps,
  method: DescMethod,
  context: HandlerContext,
  handle: (limited: HandlerContext) => AsyncIterable<Answer>,
  request?: Request,
): AsyncGenerator<Answer> {
  const call = observeServerCall(method, headerReader(context), getter);
  using deadline = limitDeadline(context, policyOf(method).timeoutMs);
  const { signal } = deadline.context;
  let code: Code | undefined = Code.Canceled;
  try {
    const scope = otelContext.with(call.context, () =>
      openCall(method, deadline.context),
    );
    const inCall = <T>(work: () => T): T =>
      otelContext.with(call.context, () => runInScope(scope, work));
    yield* pull(inCall, () => handle(deadline.context));
    if (signal.aborted) {
      throw endOfCall(signal);
    }
    code = undefined;
  } catch (error) {
    const mapped = otelContext.with(call.context, () =>
      logAndMap(deps, method, error, signal, request),
    );
    code = mapped.code;
    throw mapped;
  } finally {
    // Also where the consumer returned early: the client went away.
    call.end(code);
  }
}

/** Iterates a handler's stream inside its call: an async generator body runs in the context of whoever asks for more. */
async function* pull(
  inCall: <T>(work: () => T) => T,
  open: () => AsyncIterable<Answer>,
): AsyncGenerator<Answer> {
  const iterator = inCall(() => open()[Symbol.asyncIterator]());
  try {
    for (;;) {
      const result = await inCall(() => iterator.next());
      if (result.done) {
        return;
      }
      yield result.value;
    }
  } finally {
    await inCall(() => iterator.return?.());
  }
}

/** Decides whether the call may go on, and what its own calls take over from it. */
function openCall(method: DescMethod, context: HandlerContext): CallScope {
  const policy = policyOf(method);
  const caller = authorize(
    policy,
    context.values.get(peerKey),
    headerReader(context),
  );
  context.values.set(callerKey, caller);
  return new ServedCall(caller, context, policy.timeoutMs);
}

/** A class, as the signal is made when it is first asked for: a getter of an object of its own costs 0.5 us a call. */
class ServedCall implements CallScope {
  readonly caller: Caller;
  readonly #context: HandlerContext;
  readonly #timeoutMs: number;

  constructor(caller: Caller, context: HandlerContext, timeoutMs: number) {
    this.caller = caller;
    this.#context = context;
    this.#timeoutMs = timeoutMs;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  remainingMs(): number {
    return this.#context.timeoutMs() ?? this.#timeoutMs;
  }
}

function logAndMap(
  deps: MiddlewareDeps,
  method: DescMethod,
  thrown: unknown,
  signal: AbortSignal,
  request: Request | undefined,
): ConnectError {
  const { error, isFault } = mapError(thrown, signal);
  if (!isFault) return error;
  const rpc = `${method.parent.typeName}/${method.name}`;
  if (isNulRefusal(thrown)) {
    const field = request && fieldWithNul(method.input, request);
    if (field === undefined) {
      const text = "Postgres refused a text that is no field's";
      deps.logger.warn({ err: thrown, rpc }, text);
    }
    return refuseNul(field);
  }
  deps.logger.error({ err: thrown, rpc }, "the call failed by our fault");
  return withRequestInfo(error);
}

function throwIfAborted(context: HandlerContext): void {
  if (context instanceof GrpcContext) {
    context.throwIfAborted();
  } else {
    context.signal.throwIfAborted();
  }
}

/** Few headers are read of a call; a `Headers` of all takes 3 % of an empty one's CPU. */
function headerReader(context: HandlerContext): HeaderReader {
  return context instanceof GrpcContext
    ? (name) => context.header(name)
    : (name) => context.requestHeader.get(name) ?? undefined;
}

const getter: TextMapGetter<HeaderReader> = {
  // Trace context and baggage are asked for by name.
  keys: () => [],
  get: (header, key) => header(key),
};
