import { randomUUID } from "node:crypto";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Client,
  Code,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  AuditRecord_Action as Action,
  ForceResolveOrderRequest_Outcome as End,
  InDoubtTransaction_Decision as Decision,
  OperationsService,
} from "../../../gen/ts/weft/operations/v1/operations_service_pb.ts";
import { Order_State as State } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import { ParticipantService } from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import { inDoubtClient } from "../../../services/order/clients/in-doubt.ts";
import { unansweredUntilAttentionMs } from "../../../services/order/domain/attention.ts";
import { etagOf } from "../../../services/order/domain/etag.ts";
import {
  isSettled,
  orderName,
  type Order,
} from "../../../services/order/domain/order.ts";
import { advance, type Outcome } from "../../../services/order/domain/saga.ts";
import {
  joinedOperations,
  operationsService,
} from "../../../services/order/rpc/operations-service.ts";
import {
  findDecision,
  pruneDecisions,
} from "../../../services/order/store/decisions.ts";
import { updateOrdersTogether } from "../../../services/order/store/update-together.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { peerKey } from "../../../services/platform/rpc/caller.ts";
import { withMiddleware } from "../../../services/platform/rpc/middleware.ts";
import { createValidate } from "../../../services/platform/rpc/validate.ts";
import { eventually } from "../../support/eventually.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import {
  eventsOf,
  idOf,
  inState,
  placed,
  read,
  refusalOf,
  setupWorld,
  type World,
} from "./order-world.ts";
import type { Fate } from "./participants.ts";
import { storeOrder } from "./stored-order.ts";

const byHand = {
  reason: "the card was reissued",
  settledByHand: "charged pi_1 by hand",
};

test("lists orders that have not changed for a while, with their step, those that wait longest first", async () => {
  const { world, user, operator, participants } = await setup();
  participants.neverAnswers("reserve");
  const first = await placed(user);
  const second = await placed(user);
  await eventually("both were tried", async () => {
    const { orders } = await operator().listStuckOrders({
      unchangedFor: { seconds: 0n },
    });
    return orders.every(({ attempts }) => attempts > 0);
  });
  const list = (seconds: bigint, more = {}) =>
    operator().listStuckOrders({ unchangedFor: { seconds }, ...more });

  expect((await operator().listStuckOrders({})).orders).toEqual([]);
  world.pass(60_000);
  const { orders } = await list(60n);

  expect(orders.map(({ order }) => order?.name)).toEqual([
    first.name,
    second.name,
  ]);
  expect(orders[0]).toMatchObject({
    tenant: world.tenant,
    step: "reserve",
    lastFailure: expect.stringContaining("no answer"),
    order: { state: State.PLACED },
  });
  expect((await list(3_600n)).orders).toEqual([]);
  expect((await list(60n, { tenant: "nobody" })).orders).toEqual([]);
  const page = await list(60n, { pageSize: 1 });
  const rest = await list(60n, { pageSize: 1, pageToken: page.nextPageToken });
  expect(
    [...page.orders, ...rest.orders].map(({ order }) => order?.name),
  ).toEqual([first.name, second.name]);
  expect(rest.nextPageToken).toBe("");
});

test("lists what needs attention with its reason, and has it tried again at once", async () => {
  const { user, operator, participants } = await setup();
  participants.script("capture", ...refusals(5));
  const { name } = await placed(user);
  await inState(user, name, State.NEEDS_ATTENTION);

  const { orders } = await operator().listFailedCompensations({});
  expect(orders).toMatchObject([
    {
      step: "capture",
      lastFailure: expect.stringContaining("capture is refused"),
      order: {
        name,
        attention: {
          reason: "STEP_REFUSED",
          metadata: { reason: "PAYMENT_NOT_AUTHORIZED" },
        },
      },
    },
  ]);
  const { order } = await operator().retryOrder({
    name,
    reason: "the provider has it now",
  });

  expect(order?.state).toBe(State.CONFIRMED);
  await inState(user, name, State.COMPLETED);
  const { auditRecords } = await operator().listAuditRecords({ order: name });
  expect(auditRecords).toMatchObject([
    {
      action: Action.RETRY,
      actor: "ada",
      actorTenant: "ops",
      reason: "the provider has it now",
      stateBefore: State.NEEDS_ATTENTION,
      stateAfter: State.CONFIRMED,
      attention: { step: "capture" },
    },
  ]);
  await expect(operator().retryOrder({ name })).rejects.toMatchObject({
    code: Code.FailedPrecondition,
  });
});

test("declares an order settled with an audit record, announces its end, and calls nobody for it any more", async () => {
  const { world, user, operator, participants } = await setup();
  participants.script("capture", ...refusals(100));
  const { name } = await placed(user);
  const stuck = await inState(user, name, State.NEEDS_ATTENTION);
  const request = {
    name,
    etag: stuck.etag,
    outcome: End.COMPLETED,
    ...byHand,
  };

  await expect(
    operator().forceResolveOrder({ ...request, reason: "" }),
  ).rejects.toMatchObject({ code: Code.InvalidArgument });
  await expect(
    operator().forceResolveOrder({ ...request, etag: `"1"` }),
  ).rejects.toMatchObject({ code: Code.Aborted });
  for (const outcome of [End.REJECTED, End.CANCELLED]) {
    expect(
      await refusalOf(operator().forceResolveOrder({ ...request, outcome })),
    ).toEqual({
      code: "FailedPrecondition",
      reason: "OUTCOME_NOT_ALLOWED",
      metadata: {
        order: name,
        state: "confirmed",
        field: "outcome",
        allowed: "COMPLETED",
      },
    });
  }
  const { order } = await operator().forceResolveOrder(request);
  const captures = participants.stepsOf(idOf({ name })).length;
  world.pass(600_000);

  expect(order?.state).toBe(State.COMPLETED);
  expect((await read(user, name)).settleTime).toBeDefined();
  expect((await eventsOf(world, idOf({ name }))).at(-1)?.type).toBe(
    "OrderCompleted",
  );
  expect(participants.stepsOf(idOf({ name }))).toHaveLength(captures);
  const { auditRecords } = await operator().listAuditRecords({});
  expect(auditRecords).toMatchObject([
    {
      action: Action.FORCE_RESOLVE,
      ...byHand,
      stateAfter: State.COMPLETED,
      order: name,
    },
  ]);
  expect((await operator().listFailedCompensations({})).orders).toEqual([]);
});

test("takes a named request once, however many send it at the same time", async () => {
  const { user, operator, participants } = await setup();
  participants.script("capture", ...refusals(100));
  const { name } = await placed(user);
  const { etag } = await inState(user, name, State.NEEDS_ATTENTION);
  const request = {
    name,
    etag,
    outcome: End.COMPLETED,
    ...byHand,
    requestId: randomUUID(),
  };

  const answers = await Promise.allSettled(
    Array.from({ length: 8 }, () => operator().forceResolveOrder(request)),
  );
  const again = await operator().forceResolveOrder(request);

  const told = answers.flatMap((answer) =>
    answer.status === "fulfilled" ? [answer.value] : [],
  );
  expect(told.length).toBeGreaterThan(0);
  for (const { order } of [...told, again])
    expect(order?.state).toBe(State.COMPLETED);
  expect((await operator().listAuditRecords({})).auditRecords).toHaveLength(1);
});

test("lists transactions in doubt with what was decided, and names who did not answer", async () => {
  const { world, user, operator, participants, hold } = await setup();
  participants.neverAnswers("reserve");
  const undecided = await placed(user);
  const now = Date.now();
  hold("inventory", undecided.name, now - 60_000);
  hold("payment", undecided.name, now - 59_000);
  hold("inventory", orderName((await storeDecided(world)).id), now - 30_000);
  hold("inventory", `orders/${randomUUID()}`, now - 10_000);

  const all = await operator().listInDoubtTransactions({});
  const old = await operator().listInDoubtTransactions({
    inDoubtFor: { seconds: 45n },
  });
  hold("payment", "away", 0);
  const half = await operator().listInDoubtTransactions({});

  expect(all.transactions.map(({ decision }) => decision)).toEqual([
    Decision.UNDECIDED,
    Decision.COMMIT,
    Decision.ROLLBACK,
  ]);
  expect(all.transactions[0]).toMatchObject({
    transaction: undecided.name,
    branches: [
      { participant: "inventory", epoch: 1n },
      { participant: "payment" },
    ],
  });
  expect(old.transactions).toHaveLength(1);
  expect(half.unreachableParticipants).toEqual(["payment"]);
});

test("tells of a transaction in doubt what its log has, though the order is stuck or was settled by hand", async () => {
  const { world, operator, hold } = await setup();
  const stuck = await storeStuck(world, await storeDecided(world));
  const settled = await storeDecided(world);
  await world.db.query(
    `update orders
     set state = 'rejected', settled_at = now(), due_at = null
     where id = $1`,
    [settled.id],
  );
  const back = await storeStuck(
    world,
    await storeNext(world, await storeUndecided(world), {
      kind: "refused",
      failure: { reason: "OUT_OF_STOCK", message: "none left", metadata: {} },
    }),
  );
  for (const [index, { id }] of [stuck, settled, back].entries()) {
    hold("inventory", orderName(id), Date.now() - 60_000 + index * 1_000);
  }

  const { transactions } = await operator().listInDoubtTransactions({});

  expect([stuck.attention?.state, back.attention?.state]).toEqual([
    "confirmed",
    "rejecting",
  ]);
  expect(transactions.map(({ decision }) => decision)).toEqual([
    Decision.COMMIT,
    Decision.COMMIT,
    Decision.ROLLBACK,
  ]);
});

test("a decision is kept of an order that was settled by hand, for a participant that comes back late", async () => {
  const { world, operator } = await setup();
  const byItself = await storeNext(world, await storeDecided(world), {
    kind: "done",
  });
  const stuck = await storeStuck(world, await storeDecided(world));
  await operator().forceResolveOrder({
    name: orderName(stuck.id),
    etag: etagOf(stuck),
    outcome: End.COMPLETED,
    ...byHand,
  });

  const nextWeek = new Date(Date.now() + 7 * 86_400_000);
  const forgotten = await pruneDecisions(world.db, nextWeek, 100);

  expect(forgotten).toBe(1);
  expect(await findDecision(world.db, byItself.id)).toBeUndefined();
  expect(await findDecision(world.db, stuck.id)).toBeDefined();
});

test("lets nobody in without its scope, and tells what does not exist", async () => {
  const { operator } = await setup();
  const name = `orders/${randomUUID()}`;

  await expect(
    operator("orders:write").listStuckOrders({}),
  ).rejects.toMatchObject({ code: Code.PermissionDenied });
  await expect(operator().retryOrder({ name })).rejects.toMatchObject({
    code: Code.NotFound,
  });
});

async function setup() {
  const world = await setupWorld();
  const process = world.start();
  const held = new Map<string, { transaction: string; preparedAt: number }[]>();
  const participant = (name: string) =>
    inDoubtClient(
      name,
      createRouterTransport(
        (router) =>
          void router.service(ParticipantService, {
            listInDoubt() {
              const branches = held.get(name) ?? [];
              if (branches.some(({ transaction }) => transaction === "away"))
                throw new Error("away");
              return {
                branches: branches.map(({ transaction, preparedAt }) => ({
                  transaction,
                  epoch: 1n,
                  prepareTime: timestampFromDate(new Date(preparedAt)),
                })),
              };
            },
          }),
      ),
    );
  const { implementation } = operationsService({
    ...process.deps,
    logger: silentLogger,
    participants: [participant("inventory"), participant("payment")],
  });
  const mounted = withMiddleware(
    {
      logger: silentLogger,
      validate: createValidate(),
      once: { db: world.db, joined: joinedOperations },
    },
    OperationsService,
    implementation,
  );
  const operator = (
    scope = "operations:admin",
  ): Client<typeof OperationsService> => {
    const claims = { sub: "ada", tenant: "ops", scope };
    const header = Buffer.from(JSON.stringify(claims)).toString("base64url");
    return createClient(
      OperationsService,
      createRouterTransport(
        (router) => void router.service(OperationsService, mounted),
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
      ),
    );
  };
  return {
    world,
    participants: world.participants,
    user: process.user(),
    operator,
    hold: (name: string, transaction: string, preparedAt: number) =>
      void held.set(name, [
        ...(held.get(name) ?? []),
        { transaction, preparedAt },
      ]),
  };
}

/** An order of two-phase commit that no driver takes up. */
function storeUndecided({ db, tenant }: World): Promise<Order> {
  const at = new Date();
  const dueAt = new Date(at.getTime() + 86_400_000);
  return storeOrder(db, {
    tenant,
    coordination: "two_phase_commit",
    at,
    dueAt,
  });
}

/** An order of two-phase commit with a decision to commit. */
async function storeDecided(world: World): Promise<Order> {
  return storeNext(world, await storeUndecided(world), {
    kind: "prepared",
    total: { currency: "EUR", minorUnits: 1n },
    unitPrices: new Map([["mug", 1n]]),
  });
}

async function storeNext(
  { db }: World,
  before: Order,
  outcome: Outcome,
  at = new Date(),
): Promise<Order> {
  const order = advance(before, outcome, at);
  const decides = outcome.kind === "prepared";
  const due = isSettled(order) ? undefined : "kept";
  const { version: versionBefore } = before;
  await updateOrdersTogether(db, [
    { order, versionBefore, decides, due, event: undefined },
  ]);
  return order;
}

/** The order after its step got no answer for too long. */
function storeStuck(world: World, order: Order): Promise<Order> {
  const late = new Date(Date.now() + unansweredUntilAttentionMs + 1);
  const tried = { ...order, attempts: 1 };
  return storeNext(world, tried, { kind: "unanswered" }, late);
}

function refusals(count: number): Fate[] {
  return Array.from({ length: count }, () => ({
    kind: "refuses",
    reason: "PAYMENT_NOT_AUTHORIZED",
  }));
}
