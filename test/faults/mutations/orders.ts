import type { Mutation } from "../mutation.ts";

/** Of sagas, their coordinators, lists and watches, and requests that come again. */
export const ORDERS: readonly Mutation[] = [
  {
    hole: "what took money before its prices were known waits for an event that came",
    file: "services/order/app/follow-events.ts",
    find: "isUnpriced(order) || isUnpriced(before)",
    replace: "isUnpriced(order)",
    caughtBy: { tests: ["test/integration/order/follow-events.test.ts"] },
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
    hole: "an order whose driver died is left to nobody",
    file: "services/order/app/drive-order.ts",
    find: `  return now - leasedAt < leaseMs / 6 ? "kept" : new Date(now + leaseMs);`,
    replace: "  return new Date(now + 1000 * leaseMs);",
    caughtBy: { points: "orchestrated/authorize/order/after" },
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
    hole: "an operator settles an order that has changed since it was looked at",
    file: "services/order/domain/operations.ts",
    find: '  if (etag === "" || etag === etagOf(order)) return;',
    replace: "  if (etag !== etagOf({ version: 0n })) return;",
    caughtBy: { tests: ["test/integration/order/operations.test.ts"] },
  },
  {
    hole: "a choreographed order whose event is lost waits for ever",
    file: "services/order/app/place-order.ts",
    find: "return new Date(at.getTime() + eventDeadlineMs);",
    replace: "return new Date(at.getTime() + 1_000 * eventDeadlineMs);",
    caughtBy: {
      tests: ["test/integration/coordination/choreography-faults.test.ts"],
    },
  },
  {
    hole: "nobody is told of a compensation that is refused for ever",
    file: "services/order/domain/attention.ts",
    find: "  if (refusal && order.attempts >= refusalsUntilAttention) {",
    replace:
      "  if (refusal && order.attempts >= 1_000 * refusalsUntilAttention) {",
    caughtBy: { tests: ["test/unit/order/attention.test.ts"] },
  },
  {
    hole: "a page of a list skips orders of the same instant",
    file: "services/order/store/orders.ts",
    find: "(created_at, id) < ($4, $5)",
    replace: "created_at < $4 and $5::uuid is not null",
    caughtBy: { tests: ["test/integration/order/read-orders.test.ts"] },
  },
  {
    hole: "a log of changes tells old versions of an order",
    file: "services/order/store/order-changes.ts",
    find: "left join orders on id = order_id and version = news_version",
    replace: "left join orders on id = order_id and version >= news_version",
    caughtBy: { tests: ["test/integration/order/order-changes.test.ts"] },
  },
  {
    hole: "a burst is taken however long its orders would wait",
    file: "services/order/app/order-drivers.ts",
    find: "      if (waiting + arriving >= options.maxWaiting) {",
    replace: "      if (waiting + arriving >= 1_000 * options.maxWaiting) {",
    caughtBy: { tests: ["test/integration/order/refuse-overload.test.ts"] },
  },
  {
    hole: "choreographed orders are taken however many are unsettled",
    file: "services/order/app/followed-orders.ts",
    find: "if (arriving + underWay.size >= limit) return undefined;",
    replace: "if (arriving + underWay.size >= 1_000 * limit) return undefined;",
    caughtBy: { tests: ["test/integration/order/refuse-overload.test.ts"] },
  },
  {
    hole: "a request that was taken over begins anew",
    file: "services/platform/rpc/named-request.ts",
    find: "isResumed: (startEpoch ?? 1) > 1,",
    replace: "isResumed: (startEpoch ?? 1) > 1_000,",
    caughtBy: {
      tests: [
        "test/integration/platform-rpc/named-requests.test.ts",
        "test/integration/order/place-order.test.ts",
      ],
    },
  },
  {
    hole: "a request that is being worked on is worked on twice",
    file: "services/platform/data/idempotency-keys.ts",
    find: "     where known.leased_until <= clock_timestamp()\n       and known.request_hash = excluded.request_hash\n     returning epoch`",
    replace:
      "     where known.leased_until <= clock_timestamp() + interval '1 day'\n       and known.request_hash = excluded.request_hash\n     returning epoch`",
    caughtBy: {
      tests: ["test/integration/platform-rpc/named-requests.test.ts"],
    },
  },
];
