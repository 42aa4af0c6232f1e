import type { Message } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { setTimeout as delay } from "node:timers/promises";
import type { SuiteContracts } from "./suite-contracts.ts";
import type { ClientCompatRequest } from "./suite-messages.ts";

/** The requests of a case, at the times that it says, and its cancellation. */
export interface CaseInput {
  /** The one request of a call that takes one; a cancellation that is due after it is on its way then. */
  only(): Promise<Message>;
  all(): AsyncIterable<Message>;
  /** So many answers have come. */
  answered(count: number): void;
  unsent(): number;
}

const FULL_DUPLEX = 5;

export function caseInput(
  contracts: SuiteContracts,
  request: ClientCompatRequest,
  cancelling: AbortController,
): CaseInput {
  const timing = request.cancel?.cancelTiming;
  let sent = 0;
  let answers = 0;
  let goOn = () => {};

  async function* all() {
    for (const any of request.requestMessages) {
      await delay(request.requestDelayMs);
      const message = anyUnpack(any, contracts.registry);
      if (!message) throw new Error(`${any.typeUrl} is unknown`);
      sent += 1;
      yield message;
      if (request.streamType === FULL_DUPLEX) await answer();
    }
    if (timing?.case === "beforeCloseSend") {
      cancelling.abort();
      // The send side stays open.
      await new Promise(() => {});
    }
    const afterSendingMs = cancelAfterSendingMs(request);
    if (afterSendingMs !== undefined) {
      // The send side closes when this generator returns.
      setTimeout(() => cancelling.abort(), afterSendingMs);
    }
  }
  const answer = async () => {
    while (answers < sent) {
      await new Promise<void>((resolve) => (goOn = resolve));
    }
  };

  return {
    all,
    async only() {
      const [message] = await Array.fromAsync(all());
      if (!message) throw new Error("the case has no request");
      return message;
    },
    answered(count) {
      answers = count;
      if (timing?.case === "afterNumResponses" && timing.value === count) {
        cancelling.abort();
      }
      goOn();
    },
    unsent: () => request.requestMessages.length - sent,
  };
}

/** How long after the last request to cancel; undefined where that is not when. */
function cancelAfterSendingMs({
  cancel,
}: ClientCompatRequest): number | undefined {
  switch (cancel?.cancelTiming.case) {
    case "afterCloseSendMs":
      return cancel.cancelTiming.value;
    case "beforeCloseSend":
    case "afterNumResponses":
      return undefined;
    case undefined:
      return cancel && 0;
  }
}
