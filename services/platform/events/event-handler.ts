import {
  type DescMessage,
  fromBinary,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Transaction } from "../data/transaction.ts";
import { DomainError } from "../runtime/errors.ts";
import type { CloudEvent } from "./cloud-event.ts";

/** An event with its message decoded. `subject` is the aggregate's id. */
export interface ReceivedEvent<Desc extends DescMessage> extends Omit<
  CloudEvent,
  "data"
> {
  readonly message: MessageShape<Desc>;
}

/** What a consumer does with one type of event. */
export interface EventHandler {
  /** Full message name. */
  readonly type: string;
  handle(tx: Transaction, event: CloudEvent): Promise<void>;
}

/**
 * Handles events of the type `schema`. Do all of the effect through `tx`: it
 * commits together with the inbox row, which is what makes it happen once.
 *
 * Throwing decides what becomes of the event: see {@link startConsumer}.
 */
export function on<Desc extends DescMessage>(
  schema: Desc,
  handle: (tx: Transaction, event: ReceivedEvent<Desc>) => Promise<void>,
): EventHandler {
  return {
    type: schema.typeName,
    handle(tx, { data, ...attributes }) {
      return handle(tx, { ...attributes, message: decode(schema, data) });
    },
  };
}

function decode<Desc extends DescMessage>(
  schema: Desc,
  data: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, data);
  } catch (cause) {
    throw new DomainError({
      code: "invalid_argument",
      reason: "MALFORMED_EVENT",
      message: `the value is not a ${schema.typeName}`,
      cause,
    });
  }
}
