import { create } from "@bufbuild/protobuf";
import {
  type Client,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { fileURLToPath } from "node:url";
import type { DeadLetter } from "../../../gen/ts/weft/events/v1/dead_letter_pb.ts";
import { EventsService } from "../../../gen/ts/weft/events/v1/events_service_pb.ts";
import { OrderLineSchema } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { createPayloadContracts } from "../../../services/events/app/payload-contracts.ts";
import { sendRedrives } from "../../../services/events/app/send-redrives.ts";
import { takeDeadLettersIn } from "../../../services/events/events/on-dead-letters.ts";
import {
  type EventsDeps,
  eventsService,
} from "../../../services/events/rpc/events-service.ts";
import {
  newEvent,
  type NewEvent,
} from "../../../services/platform/events/cloud-event.ts";
import type { EventBus } from "../../../services/platform/events/event-bus.ts";
import { on } from "../../../services/platform/events/event-handler.ts";
import { createWakeUp } from "../../../services/platform/events/wake-up.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { peerKey } from "../../../services/platform/rpc/caller.ts";
import { withMiddleware } from "../../../services/platform/rpc/middleware.ts";
import { createPageTokens } from "../../../services/platform/rpc/page-token.ts";
import { createValidate } from "../../../services/platform/rpc/validate.ts";
import { Secret } from "../../../services/platform/runtime/config.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  setupConsumers,
  type World as ConsumerWorld,
} from "../platform-events/consumer-world.ts";

const descriptors = fileURLToPath(
  new URL("../../../gen/edge/weft.binpb", import.meta.url),
);

export type EventsClient = Client<typeof EventsService>;

export interface EventsWorld extends AsyncDisposable {
  readonly consumers: ConsumerWorld;
  /** Starts a group that notes the sku of each order line, unless `before` throws. */
  startGroup(group: string, before?: (sku: string) => void): void;
  /** An operator, or a caller with other scopes. */
  client(scope?: string): EventsClient;
  /** Starts another sender, on another bus where one is given; the world has one unless told otherwise. */
  startSender(bus?: Pick<EventBus, "produce">): void;
  /** Waits until so many dead letters are pending, and returns them, the first failed first. */
  pending(count: number): Promise<DeadLetter[]>;
}

/** The whole service but its sockets, beside consumers that fail, on one database and topics of their own. */
export async function setupEvents(
  databaseUrl: string,
  options: { readonly sends?: boolean } = {},
): Promise<EventsWorld> {
  const stack = new AsyncDisposableStack();
  const consumers = stack.use(await setupConsumers(databaseUrl));
  const { db, bus } = consumers;
  await db.query("truncate dead_letters, audit_records, requests");
  const stopping = new AbortController();
  const bell = createWakeUp();
  const shared = {
    db,
    bus,
    logger: silentLogger,
    newId: () => newId(),
    now: () => new Date(),
  };
  const background: Promise<void>[] = [
    takeDeadLettersIn({ ...shared, discoverEveryMs: 200 }, stopping.signal),
  ];
  const startSender: EventsWorld["startSender"] = (other = bus) =>
    void background.push(
      sendRedrives({ ...shared, bus: other, bell }, stopping.signal),
    );
  if (options.sends ?? true) startSender();
  stack.defer(async () => {
    stopping.abort();
    await Promise.all(background);
  });
  const client = clientOf({
    ...shared,
    contracts: createPayloadContracts(descriptors),
    sender: { wake: () => bell.ring() },
    pageTokens: createPageTokens(
      new Secret("a secret of 32 characters at least"),
    ),
  });
  return {
    consumers,
    client,
    startSender,
    startGroup: (group, before) =>
      void consumers.start({
        group,
        handlers: [
          on(OrderLineSchema, async (tx, { message }) => {
            before?.(message.sku);
            await tx.query("insert into effect (value) values ($1)", [
              `${group} ${message.sku}`,
            ]);
          }),
        ],
      }),
    async pending(count) {
      let found: DeadLetter[] = [];
      await eventually(`${count} dead letters are pending`, async () => {
        const { deadLetters } = await client().listDeadLetters({ states: [1] });
        found = deadLetters;
        return found.length === count;
      });
      return found.toReversed();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** An order line as an event: a message with rules. */
export function line(key: string, sku: string, quantity = 1): NewEvent {
  const message = create(OrderLineSchema, { sku, quantity });
  return newEvent(OrderLineSchema, message, {
    aggregateId: key,
    tenant: "acme",
    occurredAt: new Date(),
  });
}

function clientOf(deps: EventsDeps) {
  const implementation = withMiddleware(
    { logger: silentLogger, validate: createValidate() },
    EventsService,
    eventsService(deps).implementation,
  );
  return (scope = "events:admin"): EventsClient => {
    const claims = { sub: "ada", tenant: "ops", scope };
    const header = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const transport = createRouterTransport(
      (router) => void router.service(EventsService, implementation),
      {
        router: {
          interceptors: [
            (next) => (request) => {
              request.contextValues.set(peerKey, "edge");
              request.header.set(identityHeaders.claims, header);
              return next(request);
            },
          ],
        },
      },
    );
    return createClient(EventsService, transport);
  };
}
