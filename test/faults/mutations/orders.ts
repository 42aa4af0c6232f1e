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
];
