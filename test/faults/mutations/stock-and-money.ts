import type { Mutation } from "../mutation.ts";

/** Of stock, payments, the provider and its webhooks, and the ledger. */
export const STOCK_AND_MONEY: readonly Mutation[] = [
  {
    hole: "a compensation that overtakes its action leaves no mark (stock)",
    file: "services/inventory/app/release-reservation.ts",
    find: "  if (await insertReservation(tx, mark)) return mark;",
    replace: "  if (tx) return mark;",
    caughtBy: {
      tests: ["test/integration/inventory/settle-reservation.test.ts"],
    },
  },
  {
    hole: "a compensation that overtakes its action leaves no mark (money)",
    file: "services/payment/app/void-payment.ts",
    find: "  if (await insertPayment(deps.db, mark, undefined)) return mark;",
    replace: "  if (paymentId) return mark;",
    caughtBy: { tests: ["test/integration/payment/void.test.ts"] },
  },
  {
    hole: "a repeated request to the provider is a new one",
    file: "services/payment/clients/provider.ts",
    find: "${payment.id}/${operation}`;",
    replace: "${payment.id}/${operation}/${Math.random()}`;",
    caughtBy: { tests: ["test/integration/payment/authorize.test.ts"] },
  },
  {
    hole: "a payment without an answer is taken for none",
    file: "services/payment/app/settle-payment.ts",
    find: "absentMs >= deps.absenceMs",
    replace: "absentMs >= 0",
    caughtBy: { tests: ["test/integration/payment/void.test.ts"] },
  },
  {
    hole: "stock is checked before it is taken, not while",
    file: "services/inventory/store/stock.ts",
    find: '    const enough = "stock.available >= moved.quantity";',
    replace: '    const enough = "true";',
    caughtBy: { tests: ["test/integration/inventory"] },
  },
  {
    hole: "a webhook is believed without its signature",
    file: "services/payment/app/verify-webhook.ts",
    find: "  if (!isSigned) throw webhookSignatureInvalid();",
    replace: '  if (!isSigned && time === "") throw webhookSignatureInvalid();',
    caughtBy: { tests: ["test/integration/payment/webhooks.test.ts"] },
  },
  {
    hole: "a webhook is good for ever",
    file: "services/payment/app/verify-webhook.ts",
    find: "  if (Math.abs(age) > toleranceSeconds) throw webhookExpired();",
    replace: "  if (age === toleranceSeconds + 0.5) throw webhookExpired();",
    caughtBy: { tests: ["test/integration/payment/webhooks.test.ts"] },
  },
  {
    hole: "a webhook is acknowledged, and nothing is learnt from it",
    file: "services/payment/app/provider-events.ts",
    find: '  if (found.kind === "refused") return "unknown there";',
    replace: '  if (found.kind !== "unknown") return "unknown there";',
    caughtBy: { tests: ["test/integration/payment/webhooks.test.ts"] },
  },
  {
    hole: "a payment of unknown outcome is asked for again under another key",
    file: "services/payment/clients/provider.ts",
    find: "  const idempotencyKey = `${plainTenant(payment.tenant)}/${payment.id}/${operation}`;",
    replace:
      "  const idempotencyKey = `${plainTenant(payment.tenant)}/${payment.id}/${operation}/${payment.version}`;",
    caughtBy: {
      tests: [
        "test/integration/payment/authorize.test.ts",
        "test/integration/payment/capture-and-refund.test.ts",
        "test/integration/payment/void.test.ts",
      ],
    },
  },
  {
    hole: "a reconciliation looks at the report alone",
    file: "services/payment/app/reconcile-span.ts",
    find: "  found.push(...(await compareOurs(deps, span, seen)));",
    replace:
      '  if (seen.has("")) found.push(...(await compareOurs(deps, span, seen)));',
    caughtBy: { tests: ["test/integration/payment/reconcile.test.ts"] },
  },
  {
    hole: "balances are rolled up past a transaction that is under way",
    file: "services/payment/store/ledger-balances.ts",
    find: "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin",
    replace:
      "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmin",
    caughtBy: { tests: ["test/integration/payment/read-ledger.test.ts"] },
  },
];
