import type { Mutation } from "../mutation.ts";

/** Of outboxes, relays, consumers and dead letters. */
export const EVENTS: readonly Mutation[] = [
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
    caughtBy: { tests: ["test/integration/platform-events/batch.test.ts"] },
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
    hole: "a batch has its effects outside the transaction of its inbox rows",
    file: "services/platform/events/process-batch.ts",
    find: "await each.batch.handle(tx, each.run);",
    replace: "await each.batch.handle(deps.db, each.run);",
    caughtBy: { tests: ["test/integration/platform-events/batch.test.ts"] },
  },
  {
    hole: "a batch is given what the inbox knows",
    file: "services/platform/events/inbox.ts",
    find: "select array(select event_id from admitted) as admitted,",
    replace: "select array(select event_id from arrived) as admitted,",
    caughtBy: { tests: ["test/integration/platform-events/batch.test.ts"] },
  },
  {
    hole: "what comes after the first of a failed batch is passed over",
    file: "services/platform/events/consume-batch.ts",
    find: "      next += settled.count;",
    replace: "      next += chunk.length;",
    caughtBy: { tests: ["test/integration/platform-events/batch.test.ts"] },
  },
  {
    hole: "a key that has parked all that it may loses its next event",
    file: "services/platform/events/parked-events.ts",
    find: "select free or exists (",
    replace: "select true or exists (",
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
  {
    hole: "an event whose rows are locked for long is given up",
    file: "services/platform/events/failure-policy.ts",
    find: 'transient || kind === "locked"',
    replace: "transient",
    caughtBy: { tests: ["test/unit/platform-events/failure-policy.test.ts"] },
  },
  {
    hole: "an offset is committed ahead of the effect",
    file: "services/platform/events/consume-batch.ts",
    find: "      const heldMs = deps.gate.waitMs();",
    replace:
      "      const ahead = batch.records.at(-1);\n      if (ahead) batch.markDone(ahead);\n      const heldMs = deps.gate.waitMs();",
    caughtBy: { tests: ["test/integration/platform-events/retry.test.ts"] },
  },
];
