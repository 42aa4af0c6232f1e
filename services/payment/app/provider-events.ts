import { metrics } from "@opentelemetry/api";
import { fullJitter, sleep } from "../../platform/data/backoff.ts";
import { pruneInBatches } from "../../platform/events/prune.ts";
import type { Logger } from "../../platform/runtime/logger.ts";
import { isUnsettled } from "../domain/payment.ts";
import { reconcile } from "../domain/reconcile.ts";
import {
  claimDueEvents,
  closeEvent,
  closeKnownEvents,
  postponeEvent,
  pruneProviderEvents,
  type ProviderEvent,
} from "../store/provider-events.ts";
import { finishRequest } from "./finish-request.ts";
import { paymentOfIntent } from "./payment-of-intent.ts";
import { recordChanges } from "./record-changes.ts";
import type { SettleDeps } from "./settle-payment.ts";

export interface ProviderEventsDeps extends SettleDeps {
  readonly logger: Logger;
}

const knownBatch = 200;
/** Small: each may wait for the provider, up to its timeout, twice. */
const batch = 10;
const pollMs = 500;
/** Longer than a batch may take; then another process may have it. */
const leaseMs = 60_000;
const retryBaseMs = 1_000;
const retryCapMs = 300_000;
/** About an hour and a half; after that the recovery and the reconciliation are left. */
const maxAttempts = 30;
/** The provider sends an event again for three days. */
const keepMs = 7 * 86_400_000;

/** Looks at the provider's events as they become due, until `stop` aborts. Several processes share the work. */
export async function watchProviderEvents(
  deps: ProviderEventsDeps,
  stop: AbortSignal,
): Promise<void> {
  const look = async () => {
    while (!stop.aborted) {
      const looked = await lookAtDueEvents(deps, stop).catch(
        (error: unknown) => {
          deps.logger.warn({ err: error }, "provider events can't be read");
          return 0;
        },
      );
      if (looked > 0) continue;
      const pauseMs = pollMs * (0.5 + Math.random());
      await sleep(pauseMs, stop).catch(() => undefined);
    }
  };
  const forget = (limit: number) => {
    const before = new Date(deps.now().getTime() - keepMs);
    return pruneProviderEvents(deps.db, before, limit);
  };
  const { logger } = deps;
  await Promise.all([
    look(),
    pruneInBatches({ logger, name: "provider_events" }, forget, stop),
  ]);
}

/** Looks at what is due now. Returns how many events that were. */
export async function lookAtDueEvents(
  deps: ProviderEventsDeps,
  stop?: AbortSignal,
): Promise<number> {
  const now = deps.now();
  const known = await closeKnownEvents(deps.db, now, knownBatch);
  counted(known, "known");
  const due = await claimDueEvents(deps.db, {
    now,
    until: new Date(now.getTime() + leaseMs),
    limit: batch,
  });
  for (const event of due) {
    if (stop?.aborted) break;
    await lookAt(deps, event);
  }
  return known + due.length;
}

async function lookAt(
  deps: ProviderEventsDeps,
  event: ProviderEvent & { readonly attempts: number },
): Promise<void> {
  const fields = { event: event.eventId, type: event.type };
  try {
    const outcome = await learnFrom(deps, event);
    await closeEvent(deps.db, event.eventId, outcome);
    counted(1, outcome);
    deps.logger.info({ ...fields, outcome }, "provider event");
  } catch (error) {
    const { attempts } = event;
    if (attempts + 1 >= maxAttempts) {
      await closeEvent(deps.db, event.eventId, "given up");
      counted(1, "given up");
      deps.logger.error({ ...fields, err: error }, "provider event given up");
      return;
    }
    const pauseMs = fullJitter(attempts + 1, retryBaseMs, retryCapMs);
    const dueAt = new Date(deps.now().getTime() + pauseMs);
    await postponeEvent(deps.db, event.eventId, dueAt);
    deps.logger.warn({ ...fields, err: error }, "provider event put off");
  }
}

/**
 * The event says no more than that something happened to a payment of the provider: events come late, twice and in any
 * order. So the payment is looked up there, and recorded as it stands.
 */
async function learnFrom(
  deps: ProviderEventsDeps,
  event: ProviderEvent,
): Promise<string> {
  const found = await deps.provider.retrieve(event.reference);
  if (found.kind === "unknown") {
    throw new Error("the provider did not tell", { cause: found.cause });
  }
  if (found.kind === "refused") return "unknown there";
  const payment = await paymentOfIntent(deps.db, found.metadata);
  if (payment === undefined) return "unknown here";

  const learn = () =>
    recordChanges(deps, payment, (latest) => reconcile(latest, found.intent));
  let after = await learn();
  if (after.pending !== undefined && !isUnsettled(after)) {
    await finishRequest(deps, after);
    // What is pending may have hidden what else there was to learn.
    after = await learn();
  }
  return after.version === payment.version ? "nothing new" : "learnt";
}

function counted(count: number, outcome: string): void {
  if (count === 0) return;
  metrics
    .getMeter("weft.payment")
    .createCounter("weft.payment.provider_events", {
      description: "Events of the payment provider, by what came of them",
      unit: "{event}",
    })
    .add(count, { outcome });
}
