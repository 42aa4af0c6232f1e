import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { untilAborted } from "../data/until-aborted.ts";
import { explainConnectError } from "./explain-connect-error.ts";
import { endOfCall } from "./map-error.ts";
import { reasonOf, statusError } from "./status.ts";
import type { Validate } from "./validate.ts";

/**
 * A client's messages as they come, each checked by the rules of its contract before the handler sees it. Nothing is read
 * ahead: a handler that does not ask holds the client back. Waiting for a message ends when `signal` aborts, with its
 * reason.
 *
 * @throws ConnectError INVALID_ARGUMENT for a message that can't be read or breaks a rule, CANCELLED where the client is gone.
 */
export async function* checkedMessages<Desc extends DescMessage>(
  validate: Validate,
  desc: Desc,
  messages: AsyncIterable<MessageShape<Desc>>,
  signal: AbortSignal,
): AsyncGenerator<MessageShape<Desc>> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilAborted(iterator.next(), signal).catch(
        (error: unknown) => {
          throw readFailure(error, signal);
        },
      );
      if (next.done) {
        return;
      }
      validate(desc, next.value);
      yield next.value;
    }
  } finally {
    // Not awaited: it would wait for a message that the client may never send.
    iterator.return?.().catch(() => undefined);
  }
}

/** Why a message could not be had, as the client may know it: without this its own going away were a fault of ours. */
function readFailure(error: unknown, signal: AbortSignal): ConnectError {
  if (signal.aborted) {
    return endOfCall(signal);
  }
  if (error instanceof ConnectError && !lostCodes.has(error.code)) {
    return reasonOf(error) === undefined ? explainConnectError(error) : error;
  }
  return statusError({
    code: Code.Canceled,
    reason: "CANCELLED",
    message: "the client went away while it was sending",
  });
}

/** What connect-node makes of a connection that is gone. */
const lostCodes: ReadonlySet<Code> = new Set([
  Code.Canceled,
  Code.Aborted,
  Code.Unavailable,
  Code.Unknown,
]);
