/** A bug to plant, and what has to catch it. */
export interface Mutation {
  /** What goes wrong in the field. */
  readonly hole: string;
  readonly file: string;
  /** Stands in the file once. */
  readonly find: string;
  readonly replace: string;
  /** Test files of which at least one test must fail, or crash points of the fault runs of which one must. */
  readonly caughtBy:
    { readonly tests: readonly string[] } | { readonly points: string };
}

/** Known holes of sagas, outboxes and payments, each made in the way it is usually made. */
export const MUTATIONS: readonly Mutation[] = [
  {
    hole: "an outbox read by a cursor over ids loses rows that commit late",
    file: "services/platform/events/outbox-queue.ts",
    find: "     where published_at is null\n       and slot between $1 and $2\n     order by position\n     limit $3`,",
    replace:
      "     where published_at is null\n       and position > coalesce((select max(position) from outbox where published_at is not null), 0)\n       and slot between $1 and $2\n     order by position\n     limit $3`,",
    caughtBy: { tests: ["test/integration/platform-events/relay.test.ts"] },
  },
  {
    hole: "a relay marks before it has sent, and dies in between",
    file: "services/platform/events/drain-outbox.ts",
    find: "  const traced = events.map((event) => toTracedRecord(event, deps.source));",
    replace:
      "  await markPublished(deps.db, lease, events.map(({ id }) => id));\n  const traced = events.map((event) => toTracedRecord(event, deps.source));",
    caughtBy: { tests: ["test/integration/platform-events/relay.test.ts"] },
  },
  {
    hole: "a relay that was paused publishes on under a lease that it lost",
    file: "services/platform/events/outbox-queue.ts",
    find: "where first_slot = $2 and last_slot = $3 and epoch = $4",
    replace: "where first_slot = $2 and last_slot = $3 and $4::bigint > 0",
    caughtBy: { tests: ["test/integration/platform-events/relay.test.ts"] },
  },
  {
    hole: "two relays share a key range",
    file: "services/platform/events/relay-lease.ts",
    find: "           and expires_at > clock_timestamp()\n",
    replace:
      "           and expires_at > clock_timestamp() + interval '1 day'\n",
    caughtBy: { tests: ["test/integration/platform-events/relay.test.ts"] },
  },
  {
    hole: "a second delivery has a second effect",
    file: "services/platform/events/process-record.ts",
    find: '  if (!admitted.has(event.id)) return "duplicate";',
    replace: '  if (admitted.has("")) return "duplicate";',
    caughtBy: { tests: ["test/integration/platform-events/consumer.test.ts"] },
  },
  {
    hole: "a second delivery in the same batch has a second effect",
    file: "services/platform/events/process-batch.ts",
    find: "left.delete(event.id)",
    replace: "left.has(event.id)",
    caughtBy: { tests: ["test/integration/platform-events/batch.test.ts"] },
  },
  {
    hole: "a batch overtakes what waits in retry",
    file: "services/platform/events/inbox.ts",
    find: "where batch not in (select arrived.batch",
    replace: "where -1 not in (select arrived.batch",
    caughtBy: { tests: ["test/integration/platform-events/batch.test.ts"] },
  },
  {
    hole: "a second delivery of what was parked has a second effect",
    file: "services/platform/events/settle-retry.ts",
    find: "      if (!(await recordOnce(tx, deps.group, event.id)))",
    replace: "      if (!tx && !(await recordOnce(tx, deps.group, event.id)))",
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
  {
    hole: "what took money before its prices were known waits for an event that came",
    file: "services/order/app/follow-events.ts",
    find: "isUnpriced(order) || isUnpriced(before)",
    replace: "isUnpriced(order)",
    caughtBy: { tests: ["test/integration/order/follow-events.test.ts"] },
  },
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
    hole: "a compensation that fails is given up",
    file: "services/order/domain/saga.ts",
    find: "failed === undefined ? order.undo : [...others, failed]",
    replace: "failed === undefined ? order.undo : others",
    caughtBy: { tests: ["test/unit/order"] },
  },
  {
    hole: "the money is taken before the stock is sure",
    file: "services/order/domain/saga.ts",
    find: '      return "confirm";\n    case "confirmed":\n      if (!isPriced(order)) return "reserve";\n      return isTwoPhase(order) ? "commit" : "capture";',
    replace:
      '      return "capture";\n    case "confirmed":\n      if (!isPriced(order)) return "reserve";\n      return isTwoPhase(order) ? "commit" : "confirm";',
    caughtBy: { tests: ["test/unit/order"] },
  },
  {
    hole: "two coordinators store what each believes",
    file: "services/order/store/update-together.ts",
    find: "orders.version = next.version_before",
    replace: "orders.version >= next.version_before - 1000",
    caughtBy: { tests: ["test/integration/order"] },
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
    hole: "an order whose driver died is left to nobody",
    file: "services/order/app/drive-order.ts",
    find: `  return now - leasedAt < leaseMs / 6 ? "kept" : new Date(now + leaseMs);`,
    replace: "  return new Date(now + 1000 * leaseMs);",
    caughtBy: { points: "orchestrated/authorize/order/after" },
  },
  {
    hole: "a coordinator that was replaced still stores its decision",
    file: "services/order/store/update-together.ts",
    find: "orders.version = next.version_before and orders.epoch = next.epoch\n",
    replace: "orders.version = next.version_before\n",
    caughtBy: { tests: ["test/integration/order/epochs.test.ts"] },
  },
  {
    hole: "branches are told to commit what no log has",
    file: "services/order/store/update-together.ts",
    find: "       where decides\n",
    replace: "       where decides and false\n",
    caughtBy: { tests: ["test/integration/order/epochs.test.ts"] },
  },
  {
    hole: "a prepare that comes after its rollback becomes an orphan that holds locks",
    file: "services/platform/data/two-phase.ts",
    find: 'if (await insertBarrier(tx, branch, "rollback", ROLLBACK_LOCK_MS)) return;',
    replace: "if (branch.epoch > 0n) return;",
    caughtBy: { tests: ["test/integration/platform-data/two-phase.test.ts"] },
  },
  {
    hole: "a commit of a branch that is gone counts as done",
    file: "services/platform/data/two-phase.ts",
    find: 'if (barrier?.operation !== "prepare") {',
    replace: 'if (barrier?.operation === "rollback" && branch.epoch < 0n) {',
    caughtBy: { tests: ["test/integration/platform-data/two-phase.test.ts"] },
  },
  {
    hole: "a branch does not know its coordinator's successor from itself",
    file: "services/platform/data/branch-barrier.ts",
    find: '  if (epoch < barrier.epoch) return "stale";\n  if (operation',
    replace: "  if (operation",
    caughtBy: { tests: ["test/unit/platform-data/branch-barrier.test.ts"] },
  },
  {
    hole: "a participant that does not answer counts as one that agrees",
    file: "services/order/domain/two-phase-commit.ts",
    find: 'return silent ?? { kind: "prepared", total, unitPrices };',
    replace:
      'return silent && votes.length > 9 ? silent : { kind: "prepared", total, unitPrices };',
    caughtBy: { tests: ["test/unit/order/two-phase-commit.test.ts"] },
  },
  {
    hole: "a list is continued from the highest number that was given out",
    file: "services/order/app/log-position.ts",
    find: '  return { cluster, after: { xid: xmin, seq: "0" }, seen: snapshot };',
    replace:
      '  const xmax = snapshot.split(":")[1] ?? xmin;\n  return { cluster, after: { xid: xmax, seq: "0" }, seen: undefined };',
    caughtBy: { tests: ["test/integration/order/read-while-writing.test.ts"] },
  },
  {
    hole: "a watch reads past a transaction that is under way",
    file: "services/order/store/order-changes.ts",
    find: "         and xid < (select xmin from gate)\n",
    replace: "         and xid < (select xmax from gate)\n",
    caughtBy: { tests: ["test/integration/order/watch-orders.test.ts"] },
  },
  {
    hole: "a token from before what the log has forgotten is accepted",
    file: "services/order/app/log-position.ts",
    find: "  return cluster !== log.cluster || !isAtOrBefore(log.pruned, after);",
    replace: '  return cluster !== log.cluster || after.xid === "";',
    caughtBy: { tests: ["test/integration/order/read-while-writing.test.ts"] },
  },
  {
    hole: "the answer to another body is given again",
    file: "services/platform/rpc/once.ts",
    find: "!known.hash.equals(request.hash)",
    replace: "known.hash.length !== request.hash.length",
    caughtBy: {
      tests: ["test/integration/platform-rpc/named-requests.test.ts"],
    },
  },
  {
    hole: "a holder of a request that was taken over still stores its answer",
    file: "services/platform/data/idempotency-keys.ts",
    find: "       and epoch = $4\n       and status is null`,\n    [request.tenant, request.operation, request.key, epoch, status, answer],",
    replace:
      "       and $4::int > 0\n       and status is null`,\n    [request.tenant, request.operation, request.key, epoch, status, answer],",
    caughtBy: {
      tests: ["test/integration/platform-rpc/named-requests.test.ts"],
    },
  },
  {
    hole: "a later event of a key overtakes the one that waits in retry",
    file: "services/platform/events/inbox.ts",
    find: "(topic, key) in (select topic, key from arrived)",
    replace: "(topic, key) in (select topic, key from arrived) and false",
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
  {
    hole: "what a process that died left parked is found by nobody",
    file: "services/platform/events/keep-parked.ts",
    find: "await sendForgotten(deps, stop);",
    replace: "void sendForgotten;",
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
  {
    hole: "an outage of the own database burns the attempts of events",
    file: "services/platform/events/failure-policy.ts",
    find: 'if (OUTAGES.has(error.reason)) return "outage";',
    replace: 'if (OUTAGES.has(error.reason)) return "unknown";',
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
  {
    hole: "an event is tried again before it is due",
    file: "services/platform/events/settle-retry.ts",
    find: "  if (waitMs > 0) return again(waitMs);",
    replace: "  if (waitMs > 1e9) return again(waitMs);",
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
  {
    hole: "a failed batch is given up as a whole",
    file: "services/platform/events/consume-batch.ts",
    find: '      : "one by one";',
    replace: '      : "done";',
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
  {
    hole: "the inbox forgets an event that Kafka may still deliver",
    file: "services/platform/events/inbox-retention.ts",
    find: "return Math.max(configuredMs, deliverableMs);",
    replace: "return Math.min(configuredMs, deliverableMs);",
    caughtBy: { tests: ["test/integration/platform-events/consumer.test.ts"] },
  },
  {
    hole: "a redrive goes to every group of the topic",
    file: "services/platform/events/retry-topic.ts",
    find: "topic: retryTopic(group, 1),",
    replace: "topic: record.topic,",
    caughtBy: { tests: ["test/integration/events"] },
  },
  {
    hole: "a repeated redrive is another one",
    file: "services/events/app/decide.ts",
    find: "if (await claimRequest(tx, requestId, hash, deps.now())) {",
    replace:
      "if ((await claimRequest(tx, requestId, hash, deps.now())) || requestId) {",
    caughtBy: { tests: ["test/integration/events"] },
  },
  {
    hole: "a letter that is delivered twice is decided about twice",
    file: "services/events/store/dead-letters.ts",
    find: "where present.state in ('redriving', 'redriven')\n       and present.redrive_id = $17::uuid",
    replace:
      "where present.state <> 'pending'\n       and ($17::uuid is null or true)",
    caughtBy: { tests: ["test/integration/events"] },
  },
  {
    hole: "an operator settles an order that has changed since it was looked at",
    file: "services/order/domain/operations.ts",
    find: '  if (etag === "" || etag === etagOf(order)) return;',
    replace: "  if (etag !== etagOf({ version: 0n })) return;",
    caughtBy: { tests: ["test/integration/order/operations.test.ts"] },
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
