import { randomUUID } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { file_weft_payment_v1_payment_events } from "../../../gen/ts/weft/payment/v1/payment_events_pb.ts";
import { Payment_State } from "../../../gen/ts/weft/payment/v1/payment_pb.ts";
import { PaymentService } from "../../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { ParticipantService } from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { createFlights } from "../../../services/payment/app/flights.ts";
import { lookAtDueEvents } from "../../../services/payment/app/provider-events.ts";
import { recoverDuePayments } from "../../../services/payment/app/recover-payments.ts";
import { createProviderHttp } from "../../../services/payment/clients/provider-http.ts";
import { createPaymentProvider } from "../../../services/payment/clients/provider.ts";
import type { Payment } from "../../../services/payment/domain/payment.ts";
import { createPaymentBatches } from "../../../services/payment/app/record-batch.ts";
import {
  announceThrough,
  announceTogetherThrough,
} from "../../../services/payment/events/announce-change.ts";
import { participantService } from "../../../services/payment/rpc/participant-service.ts";
import { paymentService } from "../../../services/payment/rpc/payment-service.ts";
import { paymentToProto } from "../../../services/payment/rpc/payment-to-proto.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { peerKey } from "../../../services/platform/rpc/caller.ts";
import { withMiddleware } from "../../../services/platform/rpc/middleware.ts";
import { moneyToProto } from "../../../services/platform/rpc/money.ts";
import { createPageTokens } from "../../../services/platform/rpc/page-token.ts";
import { createValidate } from "../../../services/platform/rpc/validate.ts";
import { Secret } from "../../../services/platform/runtime/config.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import type { TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  setupProvider,
  type ProviderProcess,
} from "../payment-provider/provider-process.ts";

export type PaymentClient = Client<typeof PaymentService>;

export interface World {
  readonly tenant: string;
  readonly db: Database;
  /** Of the superuser: for breaking things. */
  readonly adminUrl: string;
  readonly provider: ProviderProcess;
  /** A user of this world's tenant, or of another, who may read and administer, or what `scope` says. */
  user(tenant?: string, scope?: string): PaymentClient;
  /** Somebody without a token. */
  stranger(): PaymentClient;
  /** The Order service, which acts for this world's tenant or for another. */
  order(tenant?: string): PaymentClient;
  /** The coordinator of two-phase commits. */
  participant(): Client<typeof ParticipantService>;
  /** The Order service, at another instance of this service. */
  elsewhere(): PaymentClient;
  /** One round of the recovery; answers how many payments it looked at. */
  recover(): Promise<number>;
  /** Looks at every event of the provider that is due; answers how many there were. */
  lookAtEvents(): Promise<number>;
  readonly deps: ReturnType<typeof instance>;
  /** Moves the service's clock. */
  pass(ms: number): void;
}

/** Longer than in production: a busy machine is not taken for a silent provider. */
const PATIENCE_MS = 8_000;
export const ABSENCE_MS = 30_000;
export const LATE_CHECK_MS = 600_000;
export const RECOVER_AFTER_MS = 15_000;
export const EVENT_DELAY_MS = 1_000;
/** The new one, and the one that it replaces. */
export const WEBHOOK_SECRETS = [
  "a new webhook secret",
  "an old webhook secret",
];

export interface WorldOptions {
  /** How long a provider that fails time after time is left alone. */
  readonly leftAloneMs?: number;
  /** How long the provider has to answer. */
  readonly patienceMs?: number;
}

/** For a test that waits until it has passed. More than three times what the slowest provider that answers takes. */
export const IMPATIENT: WorldOptions = { patienceMs: 1_000 };

/** What a world is to be for a payment by this token. */
export function worldOptionsFor(token = ""): WorldOptions {
  return /late|timeout/.test(token) ? IMPATIENT : {};
}

/** The whole service but its sockets, over a real database and the real provider, for a tenant of its own. */
export async function setupWorld(
  database: TestDatabase,
  { leftAloneMs = 500, patienceMs = PATIENCE_MS }: WorldOptions = {},
): Promise<World> {
  const tenant = `tenant-${randomUUID()}`;
  const provider = await setupProvider({ lateMs: 60_000 });
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "payment test",
    poolSize: 16,
    maxWaiting: 500,
    acquireTimeoutMs: 20_000,
  });
  onTestFinished(() => db.close());
  let offsetMs = 0;
  const now = () => new Date(Date.now() + offsetMs);
  const open = () =>
    instance(db, provider.url, now, { leftAloneMs, patienceMs });
  const deps = open();
  const client = clientOf(deps);
  const other = clientOf(open());
  return {
    tenant,
    db,
    adminUrl: database.adminUrl,
    provider,
    user: (of = tenant, scope) => client("edge", of, scope),
    stranger: () => client("edge", undefined),
    order: (of = tenant) => client("order", of),
    participant: () => participantOf(deps, tenant),
    elsewhere: () => other("order", tenant),
    recover: () => recoverDuePayments(deps),
    lookAtEvents: async () => {
      let looked = 0;
      for (let more = 1; more > 0; looked += more) {
        more = await lookAtDueEvents(deps);
      }
      return looked;
    },
    deps,
    pass: (ms) => void (offsetMs += ms),
  };
}

function instance(
  db: Database,
  url: string,
  now: () => Date,
  { leftAloneMs, patienceMs }: Required<WorldOptions>,
) {
  const http = createProviderHttp({
    url,
    timeoutMs: patienceMs,
    signal: new AbortController().signal,
    logger: silentLogger,
    breaker: { resetAfterMs: leftAloneMs },
  });
  onTestFinished(() => http.close());
  const outbox = createOutbox({ wake: () => undefined });
  const shapes = { payment: paymentToProto, money: moneyToProto };
  const recording = {
    db,
    announce: announceThrough(outbox, shapes),
    announceTogether: announceTogetherThrough(outbox, shapes),
    newId: () => newId(),
    now,
    checkTimes: {
      recoverAfterMs: RECOVER_AFTER_MS,
      lateCheckMs: LATE_CHECK_MS,
    },
  };
  return {
    ...recording,
    batches: createPaymentBatches({ ...recording, logger: silentLogger }),
    provider: createPaymentProvider({ http, logger: silentLogger }),
    flights: createFlights<Payment>(),
    logger: silentLogger,
    pageTokens: createPageTokens(
      new Secret("a secret of 32 characters at least"),
    ),
    absenceMs: ABSENCE_MS,
    intervalMs: 1_000,
    webhookSecrets: WEBHOOK_SECRETS.map((one) => new Secret(one)),
    eventDelayMs: EVENT_DELAY_MS,
  };
}

function clientOf(deps: Parameters<typeof paymentService>[0]) {
  const implementation = withMiddleware(
    { logger: silentLogger, validate: createValidate() },
    PaymentService,
    paymentService(deps).implementation,
  );
  return (
    peer: "edge" | "order",
    tenant: string | undefined,
    scope = "payments:read payments:admin",
  ): PaymentClient => {
    const transport = createRouterTransport(
      (router) => void router.service(PaymentService, implementation),
      {
        router: {
          interceptors: [
            (next) => (request) => {
              request.contextValues.set(peerKey, peer);
              for (const [name, value] of identity(peer, tenant, scope)) {
                request.header.set(name, value);
              }
              return next(request);
            },
          ],
        },
      },
    );
    return createClient(PaymentService, transport);
  };
}

function participantOf(
  deps: ReturnType<typeof instance>,
  tenant: string,
): Client<typeof ParticipantService> {
  const { implementation } = participantService({ ...deps, resolver: deps.db });
  const mounted = withMiddleware(
    { logger: silentLogger, validate: createValidate() },
    ParticipantService,
    implementation,
  );
  const transport = createRouterTransport(
    (router) => void router.service(ParticipantService, mounted),
    {
      router: {
        interceptors: [
          (next) => (request) => {
            request.contextValues.set(peerKey, "order");
            request.header.set(identityHeaders.tenant, tenant);
            return next(request);
          },
        ],
      },
    },
  );
  return createClient(ParticipantService, transport);
}

function identity(
  peer: "edge" | "order",
  tenant: string | undefined,
  scope: string,
): [string, string][] {
  if (tenant === undefined) return [];
  if (peer === "order") return [[identityHeaders.tenant, tenant]];
  const claims = { sub: "tester", tenant, scope };
  const encoded = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return [[identityHeaders.claims, encoded]];
}

export function euros(units: bigint, nanos = 0) {
  return { currencyCode: "EUR", units, nanos };
}

/** An Authorize of 10 euros by this token, for an order of its own; and what names it afterwards. */
export function authorizeRequest(paymentToken = "tok_visa") {
  const paymentId = newId();
  const order = `orders/${newId()}`;
  return {
    request: { paymentId, order, amount: euros(10n), paymentToken },
    name: `payments/${paymentId}`,
    paymentId,
    order,
  };
}

export interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export const PROVIDER_UNAVAILABLE = {
  code: "Unavailable",
  reason: "PROVIDER_UNAVAILABLE",
};

/** The refusal that a call ends in; fails if it succeeds. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    const refused = ConnectError.from(error);
    const [info] = refused.findDetails(ErrorInfoSchema);
    return {
      code: Code[refused.code] ?? "",
      reason: info?.reason ?? "",
      metadata: { ...info?.metadata },
    };
  }
  throw new Error("the call was not refused");
}

/** The payment's state, by its name in the contract. */
export async function stateOf(world: World, name: string): Promise<string> {
  const { payment } = await world.user().getPayment({ name });
  const names = Object.entries(Payment_State);
  return names.find(([, value]) => value === payment?.state)?.[0] ?? "";
}

/** What the provider did for a payment, oldest first: `authorized`, `captured`, ... */
export async function doneAtProvider(
  world: World,
  paymentId: string,
): Promise<string[]> {
  const log = await world.provider.log();
  return log
    .filter(
      (entry) => entry.payment_intent?.metadata["payment_id"] === paymentId,
    )
    .map((entry) => entry.type.slice(entry.type.indexOf(".") + 1));
}

/** The outbox's events of one order, oldest first, as their contract's messages. */
export async function eventsOf(world: World, order: string) {
  const { rows } = await world.db.query<{ type: string; payload: Buffer }>(
    `select type, payload
     from outbox
     where aggregate_id = $1
     order by position`,
    [order.slice("orders/".length)],
  );
  return rows.map(({ type, payload }) => {
    const desc = file_weft_payment_v1_payment_events.messages.find(
      (message) => message.typeName === type,
    );
    if (desc === undefined) throw new Error(`no contract for ${type}`);
    return { type: desc.name, message: fromBinary(desc, payload) };
  });
}

/** The balances of a payment's ledger accounts in minor units; accounts at zero are left out. */
export async function balancesOf(
  world: World,
  paymentId: string,
): Promise<Record<string, number>> {
  const { rows } = await world.db.query<{ account: string; balance: string }>(
    `select account, sum(amount)::text as balance
     from ledger_entries
     where tenant = $1
       and payment_id = $2
     group by account
     having sum(amount) <> 0`,
    [world.tenant, paymentId],
  );
  return Object.fromEntries(
    rows.map(({ account, balance }) => [account, Number(balance)]),
  );
}
