import { randomUUID } from "node:crypto";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ReconciliationFinding_Kind as Kind } from "../../../gen/ts/weft/payment/v1/reconciliation_pb.ts";
import { runReconciliation } from "../../../services/payment/app/reconciliation.ts";
import { setupDatabase, type TestDatabase } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";
import { readMetrics } from "../../support/read-metrics.ts";
import { holdForm } from "../payment-provider/provider-process.ts";
import {
  authorizeRequest,
  balancesOf,
  refusalOf,
  setupWorld,
  type World,
} from "./payment-world.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await setupDatabase({ service: "payment" });
});
afterAll(() => database.close());

const setup = () => setupWorld(database);

/** All that was made in this test. */
function lately() {
  const now = Date.now();
  return {
    startTime: timestampFromDate(new Date(now - 60_000)),
    endTime: timestampFromDate(new Date(now + 60_000)),
  };
}

async function captured(world: World, token?: string) {
  const payment = authorizeRequest(token);
  await world.order().authorize(payment.request);
  await world.order().capture({ name: payment.name });
  return payment;
}

async function findingsOf(world: World, showResolved = false) {
  const { findings } = await world
    .user()
    .listReconciliationFindings({ showResolved });
  return findings.map(({ kind, payment, providerReference }) => ({
    kind: Object.entries(Kind).find(([, value]) => value === kind)?.[0],
    payment,
    reference: providerReference,
  }));
}

/** A row of ours, changed behind the service's back. */
async function tamper(world: World, paymentId: string, set: string) {
  await world.db.query(`update payments set ${set} where id = $1`, [paymentId]);
}

test("books that agree, in every state, are no finding", async () => {
  const world = await setup();
  const refunded = await captured(world);
  await world.order().refund({ name: refunded.name, refundId: randomUUID() });
  await captured(world);
  const voided = authorizeRequest();
  await world.order().authorize(voided.request);
  await world.order().void({ name: voided.name, order: voided.order });
  await world.order().authorize(authorizeRequest("tok_declined").request);
  await world.order().authorize(authorizeRequest().request);
  const part = authorizeRequest();
  await world.order().authorize(part.request);
  await world.order().capture({
    name: part.name,
    amount: { currencyCode: "EUR", units: 4n },
  });

  const result = await world.user().reconcilePayments(lately());

  expect(result).toMatchObject({ comparedCount: 6, findingCount: 0 });
  expect(await findingsOf(world)).toEqual([]);
});

test("every planted difference is found, each with its kind, and no other", async () => {
  const world = await setup();
  const [amount, state, ledger, lost, fine] = [
    await captured(world),
    await captured(world),
    await captured(world),
    await captured(world),
    await captured(world),
  ];
  await tamper(world, amount.paymentId, "captured_amount = 900");
  await tamper(
    world,
    state.paymentId,
    "state = 'AUTHORIZED', captured_amount = 0",
  );
  await tamper(world, lost.paymentId, "provider_reference = 'pi_nobody'");
  const transactionId = randomUUID();
  await world.db.query(
    `insert into ledger_entries
       (tenant, transaction_id, payment_id, account, currency, amount, created_at)
     values ($1, $2, $3, 'provider_cash', 'EUR', 5, now()),
            ($1, $2, $3, 'order_revenue', 'EUR', -5, now())`,
    [world.tenant, transactionId, ledger.paymentId],
  );
  const form = {
    ...holdForm("tok_visa"),
    "metadata[payment_id]": randomUUID(),
    "metadata[tenant]": world.tenant,
  };
  const { json: unknown } = await world.provider.post(
    "/v1/payment_intents",
    form,
  );

  const result = await world.user().reconcilePayments(lately());

  const findings = await findingsOf(world);
  const kindOf = (name: string) =>
    findings.filter(({ payment }) => payment === name).map(({ kind }) => kind);
  expect(kindOf(amount.name)).toEqual(["AMOUNTS_DIFFER"]);
  expect(kindOf(state.name)).toEqual(["STATES_DIFFER"]);
  expect(kindOf(ledger.name)).toEqual(["LEDGER_DIFFERS"]);
  expect(kindOf(lost.name)).toEqual(["MISSING_THERE"]);
  expect(kindOf(fine.name)).toEqual([]);
  expect(findings.filter(({ payment }) => payment === "")).toEqual([
    { kind: "MISSING_HERE", payment: "", reference: unknown.id },
  ]);
  expect(findings).toHaveLength(5);
  expect(result.findingCount).toBe(5);
});

test("a finding is stored once, and resolved when the books agree again", async () => {
  const world = await setup();
  const { name, paymentId } = await captured(world);
  await tamper(world, paymentId, "captured_amount = 900");

  await world.user().reconcilePayments(lately());
  await world.user().reconcilePayments(lately());
  const open = await findingsOf(world);
  await tamper(world, paymentId, "captured_amount = 1000");
  await world.user().reconcilePayments(lately());

  expect(open).toMatchObject([{ kind: "AMOUNTS_DIFFER", payment: name }]);
  expect(await findingsOf(world)).toEqual([]);
  expect(await findingsOf(world, true)).toEqual(open);
});

test("money that was given back at the provider is booked, and its finding closes by itself", async () => {
  const world = await setup();
  const { name, paymentId } = await captured(world);
  const { payment } = await world.user().getPayment({ name });
  await world.provider.post("/v1/refunds", {
    payment_intent: payment?.providerReference ?? "",
    amount: "400",
  });

  await world.user().reconcilePayments(lately());
  const open = await findingsOf(world);
  await world.user().reconcilePayments(lately());

  const { payment: after } = await world.user().getPayment({ name });
  expect(open).toMatchObject([{ kind: "AMOUNTS_DIFFER", payment: name }]);
  expect(await findingsOf(world)).toEqual([]);
  expect(await findingsOf(world, true)).toEqual(open);
  expect(after?.refundedAmount).toMatchObject({ units: 4n });
  expect(await balancesOf(world, paymentId)).toEqual({
    provider_cash: 600,
    order_revenue: -1_000,
    order_refunds: 400,
  });
});

test("a report of several pages is read to its end", async () => {
  const world = await setup();
  const forms = Array.from({ length: 230 }, () => ({
    ...holdForm("tok_visa"),
    "metadata[payment_id]": randomUUID(),
    "metadata[tenant]": world.tenant,
  }));
  await Promise.all(
    forms.map((form) => world.provider.post("/v1/payment_intents", form)),
  );

  const result = await world.user().reconcilePayments(lately());
  const pages: number[] = [];
  let pageToken = "";
  do {
    const page = await world
      .user()
      .listReconciliationFindings({ pageSize: 100, pageToken });
    pages.push(page.findings.length);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");

  expect(result).toMatchObject({ comparedCount: 230, findingCount: 230 });
  expect(pages).toEqual([100, 100, 30]);
});

test("the service compares by itself what is old enough, one process at a time", async () => {
  const world = await setup();
  const { name, paymentId } = await captured(world);
  await tamper(world, paymentId, "captured_amount = 900");
  const stop = new AbortController();
  const deps = {
    ...world.deps,
    reconcileAfterMs: 10,
    reconcileIntervalMs: 20,
  };

  const running = [
    runReconciliation(deps, stop.signal),
    runReconciliation(deps, stop.signal),
  ];
  await eventually("the difference is found", async () =>
    (await findingsOf(world)).some(({ payment }) => payment === name),
  );
  stop.abort();
  await Promise.all(running);

  expect(await findingsOf(world)).toHaveLength(1);
});

test("a stranger sees no findings, and a silent provider is told as such", async () => {
  const world = await setup();
  const { paymentId } = await captured(world);
  await tamper(world, paymentId, "captured_amount = 900");
  await world.user().reconcilePayments(lately());

  const theirs = await world
    .user(`${world.tenant}-other`)
    .listReconciliationFindings({});
  let refusal: unknown;
  await world.provider.crash(async () => {
    refusal = await refusalOf(world.user().reconcilePayments(lately()));
  });

  expect(theirs.findings).toEqual([]);
  expect(refusal).toMatchObject({
    code: "Unavailable",
    reason: "PROVIDER_UNAVAILABLE",
  });
});

test("how far the comparison is behind, and what it found, is told though the provider is silent", async () => {
  const world = await setup();
  const gauge = readMetrics();
  const stop = new AbortController();
  const deps = { ...world.deps, reconcileAfterMs: 0, reconcileIntervalMs: 20 };
  const { paymentId } = await captured(world);
  await tamper(world, paymentId, "captured_amount = 900");
  const running = runReconciliation(deps, stop.signal);
  await eventually("the difference is found", async () =>
    (await findingsOf(world)).some(({ kind }) => kind === "AMOUNTS_DIFFER"),
  );
  await eventually("it is told", async () =>
    (await gauge("weft.payment.findings.open")).some((open) => open > 0),
  );

  await world.provider.crash(async () => {
    world.pass(3_600_000);
    await eventually("the lag is told", async () =>
      (await gauge("weft.payment.reconciliation.lag")).some(
        (seconds) => seconds > 3_500,
      ),
    );
  });
  stop.abort();
  await running;
});
