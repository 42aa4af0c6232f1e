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
    replace:
      '  const { rows } = await deps.db.query("select from payments where tenant = $1 and id = $2", [tenant, paymentId]);\n  if (rows.length === 0) return mark;',
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
  {
    hole: "more is given back than was taken",
    file: "services/payment/domain/decide.ts",
    find: "  const left = payment.captured - payment.refunded;",
    replace: "  const left = payment.captured;",
    caughtBy: {
      tests: ["test/integration/payment/capture-and-refund.test.ts"],
    },
  },
  {
    hole: "a repeated refund is another one",
    file: "services/payment/domain/decide.ts",
    find: "  if (done !== undefined) {",
    replace: "  if (done === -1n) {",
    caughtBy: {
      tests: ["test/integration/payment/capture-and-refund.test.ts"],
    },
  },
  {
    hole: "a capture of a part is booked as one of all",
    file: "services/payment/domain/ledger.ts",
    find: '...transfer("order_revenue", "provider_cash", change.amount),',
    replace: '...transfer("order_revenue", "provider_cash", held),',
    caughtBy: {
      tests: [
        "test/integration/payment/ledger.test.ts",
        "test/integration/payment/capture-and-refund.test.ts",
      ],
    },
  },
  {
    hole: "a hold that turns up after its void is kept",
    file: "services/payment/domain/reconcile.ts",
    find: "      return isLateHold(payment)\n",
    replace: "      return isLateHold(payment) && payment.version < 0n\n",
    caughtBy: { tests: ["test/integration/payment/webhooks.test.ts"] },
  },
  {
    hole: "a reservation is sold after its time",
    file: "services/inventory/domain/reservation.ts",
    find: "      if (isOverdue(current, at)) throw reservationExpired(current.id);\n",
    replace: "",
    caughtBy: {
      tests: ["test/integration/inventory/settle-reservation.test.ts"],
    },
  },
  {
    hole: "a reservation is given back as often as it is asked for",
    file: "services/inventory/store/settle-together.ts",
    find: "         and reservations.state = 'held'\n",
    replace: "         and reservations.state <> 'confirmed'\n",
    caughtBy: {
      tests: ["test/integration/inventory/guard-stock.test.ts"],
    },
  },
  {
    hole: "what is given back stays reserved",
    file: "services/inventory/store/settle-together.ts",
    find: "         reserved = stock.reserved - locked.quantity`,\n);\n\n/**",
    replace:
      "         reserved = stock.reserved - 0 * locked.quantity`,\n);\n\n/**",
    caughtBy: {
      tests: ["test/integration/inventory/settle-reservation.test.ts"],
    },
  },
  {
    hole: "what ran out is swept by nobody",
    file: "services/inventory/app/sweep-reservations.ts",
    find: "const expired = await expireReservations(deps, BATCH, stop);",
    replace:
      "const expired = stop.aborted ? await expireReservations(deps, BATCH, stop) : 0;",
    caughtBy: {
      tests: ["test/integration/inventory/sweep-reservations.test.ts"],
    },
  },
  {
    hole: "what events have to ask the provider for waits without a bound",
    file: "services/payment/app/provider-lane.ts",
    find: "if (held >= limit) return false;",
    replace: "if (held >= 1_000 * limit) return false;",
    caughtBy: { tests: ["test/unit/payment/provider-lane.test.ts"] },
  },
];
