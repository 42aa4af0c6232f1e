import {
  type DescMessage,
  fromBinary,
  type MessageShape,
} from "@bufbuild/protobuf";
import { context } from "@opentelemetry/api";
import type { Executor } from "../data/executor.ts";
import type { Transaction } from "../data/transaction.ts";
import { DomainError } from "../runtime/errors.ts";
import type { CloudEvent } from "./cloud-event.ts";
import type { Caused } from "./consumer-span.ts";

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
  /** The types that the group knows of: those of this one's contract. Others are dead letters. */
  readonly known: readonly string[];
  handle(tx: Transaction, event: CloudEvent): Promise<void>;
  /** Whether it has anything to do with this one: else it is skipped, without a transaction. All, if left out. */
  readonly accepts?: (event: CloudEvent) => boolean;
  /** Where one call may take many: handlers that share it are given the events of all their types, in order. */
  readonly batch?: BatchHandler;
}

export type BatchHandler = TransactionBatch | IdempotentBatch;

/** Its effect is one transaction with the inbox rows of the events. */
interface TransactionBatch {
  readonly isIdempotent: false;
  handle(tx: Transaction, events: readonly Caused<CloudEvent>[]): Promise<void>;
}

interface IdempotentBatch {
  readonly isIdempotent: true;
  handle(db: Executor, events: readonly CloudEvent[]): Promise<void>;
}

/**
 * Handles events of the type `schema`. Do all of the effect through `tx`: it
 * commits together with the inbox row, which is what makes it happen once.
 *
 * Throwing decides what becomes of the event: see {@link startConsumer}. An event whose message `accepts` turns down is
 * skipped, and costs no transaction.
 */
export function on<Desc extends DescMessage>(
  schema: Desc,
  handle: (tx: Transaction, event: ReceivedEvent<Desc>) => Promise<void>,
  accepts?: (message: MessageShape<Desc>) => boolean,
): EventHandler {
  return {
    type: schema.typeName,
    known: typesBeside(schema),
    handle: (tx, event) => handle(tx, receive(schema, event)),
    ...(accepts && {
      accepts: ({ data }) => accepts(decode(schema, data)),
    }),
  };
}

/** How an event of one type is read for a batch. */
export interface EventReader<Work> extends Pick<
  EventHandler,
  "type" | "known"
> {
  /** What is to be done about it; undefined where it is of no concern. */
  read(event: CloudEvent): Work | undefined;
}

/** Reads events of the type `schema` into what is to be done about them, for {@link onBatch}. */
export function reads<Desc extends DescMessage, Work extends object>(
  schema: Desc,
  read: (event: ReceivedEvent<Desc>) => Work | undefined,
): EventReader<Work> {
  return {
    type: schema.typeName,
    known: typesBeside(schema),
    read: (event) => read(receive(schema, event)),
  };
}

/**
 * Handles events of several types, many at a time, in one transaction with their inbox rows: the new ones of up to
 * `batchSize` records of each partition that has some at the moment. Those of one partition are in order. When it throws,
 * nothing of it stands and each event is handled alone, so that only the one at fault is retried.
 */
export function onBatch<Work extends object>(
  readers: readonly EventReader<Work>[],
  handle: (tx: Transaction, works: readonly Caused<Work>[]) => Promise<void>,
): EventHandler[] {
  const byType = new Map(readers.map((reader) => [reader.type, reader]));
  const worksOf = (event: Caused<CloudEvent>): Caused<Work>[] => {
    const work = byType.get(event.type)?.read(event);
    return work === undefined ? [] : [{ ...work, cause: event.cause }];
  };
  const batch: BatchHandler = {
    isIdempotent: false,
    handle: (tx, events) => handle(tx, events.flatMap(worksOf)),
  };
  return readers.map(({ type, known, read }) => ({
    type,
    known,
    accepts: (event) => read(event) !== undefined,
    handle: (tx, event) =>
      batch.handle(tx, [{ ...event, cause: context.active() }]),
    batch,
  }));
}

/**
 * Handles events of several types, many at a time, in order, where the effect is one statement, and the same however often
 * and in whatever order it is told of an event: a row with the event's id for its key. Then it needs neither an inbox row
 * nor a transaction, and overtakes what waits in retry.
 */
export function onIdempotentBatch<Desc extends DescMessage>(
  schemas: readonly Desc[],
  handle: (
    db: Executor,
    events: readonly ReceivedEvent<Desc>[],
  ) => Promise<void>,
): EventHandler[] {
  const byType = new Map(schemas.map((schema) => [schema.typeName, schema]));
  const receiveAny = (event: CloudEvent): ReceivedEvent<Desc> => {
    const schema = byType.get(event.type);
    if (schema === undefined) throw new Error(`no handler for ${event.type}`);
    return receive(schema, event);
  };
  const batch: BatchHandler = {
    isIdempotent: true,
    handle: (db, events) => handle(db, events.map(receiveAny)),
  };
  return schemas.map((schema) => ({
    type: schema.typeName,
    known: typesBeside(schema),
    handle: (tx, event) => batch.handle(tx, [event]),
    batch,
  }));
}

/** The messages of the file that declares this one: the contract that the consumer was built with. */
function typesBeside(schema: DescMessage): string[] {
  return schema.file.messages.map(({ typeName }) => typeName);
}

function receive<Desc extends DescMessage>(
  schema: Desc,
  { data, ...attributes }: CloudEvent,
): ReceivedEvent<Desc> {
  return { ...attributes, message: decode(schema, data) };
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
