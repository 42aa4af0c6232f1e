import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import {
  newEvent,
  type NewEvent,
  toRecord,
} from "../../../services/platform/events/cloud-event.ts";
import {
  type Consumer,
  type ConsumerOptions,
  startConsumer,
} from "../../../services/platform/events/consumer.ts";
import type {
  EventBus,
  IncomingRecord,
} from "../../../services/platform/events/event-bus.ts";
import { on } from "../../../services/platform/events/event-handler.ts";
import { setupEventBus } from "../../support/event-bus.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";

/** The topic of the events: the package of their type. */
export const TOPIC = "google.protobuf";

export interface World extends AsyncDisposable {
  readonly db: Database;
  readonly bus: EventBus;
  start(options?: Partial<ConsumerOptions>): Consumer;
  /** Notes the event's value, unless `before` throws. */
  handler(
    before?: (value: string) => void | Promise<void>,
  ): ConsumerOptions["handlers"][number];
  publish(...events: NewEvent[]): Promise<void>;
  collect(topic: string): readonly IncomingRecord[];
  /** The values noted so far, in order. */
  effects(): Promise<string[]>;
  until(
    what: string,
    condition: (effects: string[]) => boolean,
    deadlineMs?: number,
  ): Promise<void>;
}

/**
 * Delays of retries that outlast a test, so that no machine is too busy to mend in time what fails, and of which each is as
 * long as all before it: what was mended is soon tried again.
 */
export const LASTING_DELAYS_MS = [
  300, 300, 600, 1_200, 2_400, 4_800, 9_600, 19_200,
];

/** Consumers of string events on a database that is emptied first, and topics of their own. */
export async function setupConsumers(
  databaseUrl: string,
  options: { readonly prefix?: string } = {},
): Promise<World> {
  const stack = new AsyncDisposableStack();
  const db = stack.use(
    createDatabase({
      url: databaseUrl,
      applicationName: "consumer test",
      logger: silentLogger,
      acquireTimeoutMs: 20_000,
    }),
  );
  await db.query(
    "create table if not exists effect (position int8 generated always as identity, value text not null)",
  );
  await db.query("truncate effect, inbox, parked_key, parked_event");
  const bus = stack.use(setupEventBus(options.prefix));
  const handler: World["handler"] = (before) =>
    on(StringValueSchema, async (tx, { message }) => {
      await tx.query("insert into effect (value) values ($1)", [message.value]);
      await before?.(message.value);
    });
  const effects = async (): Promise<string[]> => {
    const { rows } = await db.query<{ value: string }>(
      "select value from effect order by position",
    );
    return rows.map(({ value }) => value);
  };
  return {
    db,
    bus,
    handler,
    effects,
    start: (options = {}) =>
      stack.use(
        startConsumer({
          db,
          bus,
          logger: silentLogger,
          group: "test",
          handlers: [handler()],
          retry: { inPlaceAttempts: 2, baseMs: 20, delaysMs: [300, 600] },
          keepEveryMs: 500,
          ...options,
        }),
      ),
    async publish(...events) {
      const records = events.map((each) =>
        toRecord({ ...each, source: "/weft/test" }, {}),
      );
      // A topic that was just made may have no leader yet, on a busy machine for seconds.
      await eventually("they are published", () =>
        bus.produce(records).then(
          () => true,
          () => false,
        ),
      );
    },
    collect(topic) {
      const records: IncomingRecord[] = [];
      stack.use(
        bus.consume({
          group: "observer",
          topics: [topic],
          handle(batch) {
            for (const record of batch.records) {
              records.push(record);
              batch.markDone(record);
            }
            return batch.commit();
          },
        }),
      );
      return records;
    },
    until: (what, condition, deadlineMs) =>
      eventually(what, async () => condition(await effects()), deadlineMs),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export function event(key: string, value: string): NewEvent {
  return newEvent(StringValueSchema, create(StringValueSchema, { value }), {
    aggregateId: key,
    tenant: "acme",
    occurredAt: new Date(),
  });
}

/** An event of each key, round by round, with the values `<key> <round>`. */
export async function publishRounds(
  world: World,
  keys: readonly string[],
  rounds: number,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await world.publish(...keys.map((key) => event(key, `${key} ${round}`)));
  }
}
