import { randomBytes } from "node:crypto";
import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { JournalEntry } from "./journal.ts";
import { postWebhook } from "./post-webhook.ts";
import { eventOf, type WebhookEvent } from "./webhook-event.ts";
import { NO_FAULTS, type WebhookFaults } from "./webhook-faults.ts";
import { signWebhook } from "./webhook-signature.ts";

/** Where events are sent, and what signs them. */
export interface WebhookEndpoint {
  readonly url: string;
  readonly secret: string;
}

export interface WebhookStats {
  readonly waiting: number;
  readonly delivered: number;
  readonly failedAttempts: number;
  readonly dropped: number;
  readonly forged: number;
  /** Must stay zero. */
  readonly forgedAccepted: number;
}

/** Tells the customer's server what happened, as Stripe does: signed, at least once, in no order. */
export interface Webhooks {
  /** Sends what a journal line tells of. Resolves after the first attempt. */
  announce(entry: JournalEntry): Promise<void>;
  setEndpoint(endpoint: WebhookEndpoint): Promise<void>;
  faults: WebhookFaults;
  stats(): WebhookStats;
}

export interface WebhookOptions {
  readonly directory: string;
  /** Of the authority that the endpoint's certificate is by. */
  readonly caFile?: string | undefined;
  readonly now: () => Date;
  /** Aborts when the process ends. */
  readonly stop: AbortSignal;
}

const attemptTimeoutMs = 10_000;
const retryBaseMs = 500;
const retryCapMs = 3_600_000;
/** Stripe's own limit. */
const giveUpAfterMs = 3 * 86_400_000;
/** Enough for any test here; more are dropped, and counted. */
const maxWaiting = 20_000;
const maxAtOnce = 8;

/**
 * Opens the sender: the endpoint of an earlier start is known again, and of the journal's lines those are sent that were not
 * delivered by then.
 */
export async function openWebhooks(
  options: WebhookOptions,
  journal: readonly JournalEntry[],
): Promise<Webhooks> {
  const endpointFile = join(options.directory, "webhook-endpoint.json");
  const deliveredFile = join(options.directory, "webhooks-delivered");
  // The process wrote the file itself.
  let endpoint = (await readJson(endpointFile)) as WebhookEndpoint | undefined;
  const delivered = new Set((await readText(deliveredFile)).split("\n"));
  const counts = {
    waiting: 0,
    delivered: 0,
    failedAttempts: 0,
    dropped: 0,
    forged: 0,
    forgedAccepted: 0,
  };
  const slots = createSlots(maxAtOnce);

  async function post(payload: string, signature: string): Promise<boolean> {
    if (endpoint === undefined) return false;
    try {
      const webhook = { payload, signature };
      return await postWebhook(endpoint.url, webhook, {
        caFile: options.caFile,
        signal: AbortSignal.any([
          options.stop,
          AbortSignal.timeout(attemptTimeoutMs),
        ]),
      });
    } catch {
      // Nobody answers: it is tried again.
      return false;
    }
  }

  async function forge(event: WebhookEvent, secret: string): Promise<void> {
    const nowMs = options.now().getTime();
    const payload = JSON.stringify({
      ...event,
      id: `evt_${randomBytes(12).toString("hex")}`,
      type: "payment_intent.succeeded",
    });
    const other = JSON.stringify({ ...event, type: "payment_intent.canceled" });
    const forgeries = [
      signWebhook(payload, "nobody's secret", nowMs),
      signWebhook(other, secret, nowMs),
      signWebhook(payload, secret, nowMs - 86_400_000),
    ];
    for (const signature of forgeries) {
      counts.forged += 1;
      if (await post(payload, signature)) counts.forgedAccepted += 1;
    }
  }

  async function attempt(event: WebhookEvent): Promise<boolean> {
    if (endpoint === undefined) return false;
    const { secret } = endpoint;
    const { duplicate, forge: forges } = webhooks.faults;
    const payload = JSON.stringify(event);
    return slots.run(async () => {
      if (forges) await forge(event, secret);
      const copies = Array.from({ length: 1 + duplicate }, () =>
        post(payload, signWebhook(payload, secret, options.now().getTime())),
      );
      return (await Promise.all(copies)).every(Boolean);
    });
  }

  /** Whether it was taken in the end. */
  async function retry(event: WebhookEvent): Promise<boolean> {
    const endsAt = options.now().getTime() + giveUpAfterMs;
    for (let attempts = 1; options.now().getTime() < endsAt; attempts += 1) {
      const ceiling = Math.min(
        retryCapMs,
        retryBaseMs * 2 ** Math.min(attempts, 20),
      );
      const pauseMs = ceiling * (0.5 + Math.random() / 2);
      await delay(pauseMs, undefined, { signal: options.stop, ref: false });
      if (await attempt(event)) return true;
      counts.failedAttempts += 1;
    }
    return false;
  }

  async function deliver(event: WebhookEvent): Promise<void> {
    const { delayMs, reorder, drop } = webhooks.faults;
    if (Math.random() < drop || counts.waiting >= maxWaiting) {
      counts.dropped += 1;
      return;
    }
    counts.waiting += 1;
    const holdMs = delayMs + (reorder ? Math.random() * 2_000 : 0);
    if (holdMs > 0) {
      await delay(holdMs, undefined, { signal: options.stop, ref: false });
    }
    const done = async (isTaken: boolean) => {
      counts.waiting -= 1;
      if (isTaken) counts.delivered += 1;
      else counts.dropped += 1;
      await appendFile(deliveredFile, `${event.id}\n`);
    };
    if (await attempt(event)) {
      await done(true);
      return;
    }
    counts.failedAttempts += 1;
    // The end of the process interrupts it; the next one goes on.
    const goOn = async () => done(await retry(event));
    goOn().catch(() => undefined);
  }

  const webhooks: Webhooks = {
    faults: NO_FAULTS,
    async announce(entry) {
      const event = endpoint && eventOf(entry);
      if (event === undefined) return;
      await deliver(event).catch(() => undefined);
    },
    async setEndpoint(next) {
      endpoint = next;
      await writeFile(`${endpointFile}.new`, JSON.stringify(next));
      await rename(`${endpointFile}.new`, endpointFile);
    },
    stats: () => ({ ...counts }),
  };
  for (const entry of endpoint === undefined ? [] : journal) {
    const event = eventOf(entry);
    if (event && !delivered.has(event.id)) void webhooks.announce(entry);
  }
  return webhooks;
}

/** Runs at most so many at once; the others wait in their order. */
function createSlots(count: number) {
  const waiting: (() => void)[] = [];
  let free = count;
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (free === 0) await new Promise<void>((next) => waiting.push(next));
      else free -= 1;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free += 1;
      }
    },
  };
}

async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  return text === "" ? undefined : JSON.parse(text);
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
