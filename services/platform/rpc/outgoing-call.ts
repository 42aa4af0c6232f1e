import type { DescMethod } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { identityHeaders } from "./authorize.ts";
import { currentScope, type CallScope } from "./call-scope.ts";
import { deadlineExceeded } from "./deadline.ts";
import { headersToMetadata, type RequestHeaders } from "./grpc-metadata.ts";
import { policyOf } from "./policy.ts";
import { requestId, requestIdHeader } from "../runtime/request-id.ts";

/** What a call that goes out is bound by: the nearest deadline, every cancellation, the identity it acts for. */
export interface OutgoingCall {
  /** When the call ends at the latest, in Unix milliseconds. */
  readonly deadline: number;
  remainingMs(): number;
  /** Aborts with the call that is being served, or when the client says so. */
  readonly signal: AbortSignal | undefined;
  /** The headers of one attempt. */
  metadata(): Metadata;
}

// What is left for our own answer when the callee uses up its time.
const marginMs = 10;

/**
 * Binds a call to the call that is being served, if there is one, and to its method's policy.
 *
 * @throws ConnectError DEADLINE_EXCEEDED where no time is left.
 */
export function openOutgoing(
  method: DescMethod,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  header: RequestHeaders,
): OutgoingCall {
  const scope = currentScope();
  const allowedMs = Math.min(
    policyOf(method).timeoutMs,
    timeoutMs ?? Infinity,
    scope ? scope.remainingMs() - marginMs : Infinity,
  );
  if (allowedMs <= 0) {
    throw deadlineExceeded();
  }
  const endsAt = Date.now() + allowedMs;
  return {
    deadline: endsAt,
    remainingMs: () => endsAt - Date.now(),
    signal: anyOf(scope?.signal, signal),
    metadata: () => attemptMetadata(scope, header),
  };
}

function attemptMetadata(
  scope: CallScope | undefined,
  header: RequestHeaders,
): Metadata {
  const metadata = header ? headersToMetadata(header) : new Metadata();
  // A callee that restarts is back in a second; the deadline bounds the wait.
  metadata.setOptions({ waitForReady: true });
  if (scope) {
    metadata.set(identityHeaders.tenant, scope.caller.tenant);
    metadata.set(identityHeaders.subject, scope.caller.subject);
    const id = requestId();
    if (id !== undefined) metadata.set(requestIdHeader, id);
  }
  return metadata;
}

function anyOf(
  first: AbortSignal | undefined,
  second: AbortSignal | undefined,
): AbortSignal | undefined {
  return first && second ? AbortSignal.any([first, second]) : (first ?? second);
}
