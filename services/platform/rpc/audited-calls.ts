import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { randomUUID } from "node:crypto";
import type { AuditLog, AuditRecord } from "../audit/audit-log.ts";
import type { Logger } from "../runtime/logger.ts";
import { resourceOf } from "./audit-resource.ts";
import { authorize } from "./authorize.ts";
import { peerKey } from "./caller.ts";
import type { HeaderReader } from "./header-reader.ts";
import { policyOf } from "./policy.ts";
import { statusError } from "./status.ts";

export interface AuditDeps {
  readonly audit: AuditLog;
  readonly logger: Logger;
}

type Handler = (request: never, context: HandlerContext) => unknown;

/**
 * Wraps a method's handler, of whatever kind, so that a record is written before it is asked and one when it has answered.
 * A stream has answered when it ends.
 */
export function audited(
  deps: AuditDeps,
  method: DescMethod,
  handler: Handler,
  readerOf: (context: HandlerContext) => HeaderReader,
): Handler {
  const open = (request: object, context: HandlerContext) =>
    auditCall(deps, method, context, readerOf(context), request);
  switch (method.methodKind) {
    case "unary":
    case "client_streaming":
      return async (request, context) => {
        const call = await open(request, context);
        return call.around(async () => handler(request, context));
      };
    case "server_streaming":
    case "bidi_streaming":
      return async function* (request, context) {
        const call = await open(request, context);
        yield* call.aroundEach(
          // A handler of this kind returns its messages.
          handler(request, context) as AsyncIterable<unknown>,
        );
      };
  }
}

/** An audited call: the first record is written, the second is due. */
interface AuditedCall {
  around<T>(work: () => Promise<T>): Promise<T>;
  aroundEach<T>(messages: AsyncIterable<T>): AsyncGenerator<T>;
}

/**
 * Writes that a privileged call was asked for, whether or not the caller may make it.
 *
 * @throws ConnectError UNAVAILABLE where the record can't be written: what can't be audited is not done.
 */
async function auditCall(
  deps: AuditDeps,
  method: DescMethod,
  context: HandlerContext,
  header: HeaderReader,
  request: object,
): Promise<AuditedCall> {
  const known = {
    callId: randomUUID(),
    method: `${method.parent.typeName}/${method.name}`,
    ...callerOf(method, context, header),
    resource: resourceOf(method, request),
    traceId: /^00-([0-9a-f]{32})-/.exec(header("traceparent") ?? "")?.[1] ?? "",
    requestId: header("x-request-id") ?? "",
  };
  const asked: AuditRecord = { ...known, phase: "asked", result: "" };
  try {
    await deps.audit.write(asked);
  } catch (error) {
    deps.logger.error({ err: error, audit: asked }, "no audit, so no call");
    throw statusError({
      code: Code.Unavailable,
      reason: "DEPENDENCY_UNAVAILABLE",
      message: "the call can't be audited now",
      retryAfterMs: 1_000,
    });
  }
  const answered = async (result: string) => {
    const record: AuditRecord = { ...known, phase: "answered", result };
    try {
      await deps.audit.write(record);
    } catch (error) {
      // What is done is done; the first record tells that it was asked for.
      deps.logger.error({ err: error, audit: record }, "no audit of an answer");
    }
  };
  return {
    async around(work) {
      let result = "unknown";
      try {
        const response = await work();
        result = "ok";
        return response;
      } catch (error) {
        result = nameOf(ConnectError.from(error).code);
        throw error;
      } finally {
        await answered(result);
      }
    },
    async *aroundEach(messages) {
      // As it stays where the client goes away.
      let result = nameOf(Code.Canceled);
      try {
        yield* messages;
        result = "ok";
      } catch (error) {
        result = nameOf(ConnectError.from(error).code);
        throw error;
      } finally {
        await answered(result);
      }
    },
  };
}

/** Who asks, as far as it can be told: a caller who may not is one to know of, too. */
function callerOf(
  method: DescMethod,
  context: HandlerContext,
  header: HeaderReader,
): Pick<AuditRecord, "peer" | "tenant" | "subject"> {
  const peer = context.values.get(peerKey) ?? "";
  try {
    const open = { ...policyOf(method), scopes: [] };
    const { tenant, subject } = authorize(open, peer || undefined, header);
    return { peer, tenant, subject };
  } catch {
    return { peer, tenant: "", subject: "" };
  }
}

/** `permission_denied` of PermissionDenied. */
function nameOf(code: Code): string {
  return (Code[code] ?? "unknown")
    .replace(/(?<=.)[A-Z]/g, (letter) => `_${letter}`)
    .toLowerCase();
}
