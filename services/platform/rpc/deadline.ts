import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";

/** A handler's context whose call ends at a deadline at the latest. */
export interface LimitedCall extends Disposable {
  readonly context: HandlerContext;
}

/**
 * Gives a call the policy's timeout where the client stated no deadline, or a later one. The context's signal then
 * aborts with DEADLINE_EXCEEDED, and `timeoutMs()` tells what is left. Dispose of it when the call ends.
 */
export function limitDeadline(
  context: HandlerContext,
  timeoutMs: number,
): LimitedCall {
  const stated = context.timeoutMs();
  // A gRPC context is bound already; by rounding, what is left of it may exceed the timeout by a trifle.
  if (stated !== undefined && stated < timeoutMs + 1) {
    return { context, [Symbol.dispose]() {} };
  }
  const endsAt = performance.now() + timeoutMs;
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(deadlineExceeded()),
    timeoutMs,
  );
  const follow = () => controller.abort(context.signal.reason);
  if (context.signal.aborted) {
    follow();
  } else {
    context.signal.addEventListener("abort", follow, { once: true });
  }
  return {
    context: {
      ...context,
      signal: controller.signal,
      timeoutMs: () => endsAt - performance.now(),
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      context.signal.removeEventListener("abort", follow);
    },
  };
}

/** The reason with which a call's signal aborts at its deadline. */
export function deadlineExceeded(): ConnectError {
  return new ConnectError("the deadline passed", Code.DeadlineExceeded);
}
