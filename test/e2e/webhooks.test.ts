import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { signWebhook } from "../../deploy/local/payment-provider/webhook-signature.ts";
import type { WebhookStats } from "../../deploy/local/payment-provider/webhooks.ts";
import { send } from "../support/edge-http.ts";
import { eventually } from "../support/eventually.ts";
import { meshUnderTest } from "../support/mesh-under-test.ts";
import { openShop } from "../support/mesh-shop.ts";

const PATH = "/v1/webhooks/payment-provider";

/** An event as nobody's JSON library writes it: spaces, escapes, a line's end. What is signed are its bytes. */
function oddEvent(): string {
  const id = `evt_${randomUUID()}`;
  return `{ "id":"${id}",\t"type" : "payment_intent.succeeded",\r\n "data":{"object":{"id":"pi_n\\u006fbody", "note":"ÿ☃", "much":1.50e1}}}\n`;
}

async function hand(payload: string, signed = payload) {
  const { edge, directory } = meshUnderTest();
  const secret = readFileSync(join(directory, "secrets", "payment-webhook"));
  return send(
    { url: edge.url, ca: edge.ca },
    {
      version: 1,
      method: "POST",
      path: PATH,
      body: Buffer.from(payload),
      headers: {
        "content-type": "application/json; charset=utf-8",
        "stripe-signature": signWebhook(
          signed,
          secret.toString("utf8"),
          Date.now(),
        ),
      },
    },
  );
}

it("takes a webhook without a token, byte for byte, however its JSON is written", async () => {
  const payload = oddEvent();

  const answers = [await hand(payload), await hand(payload)];

  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
});

it("refuses a webhook of which one byte is another", async () => {
  const payload = oddEvent();

  const answer = await hand(payload, payload.replace("\t", " "));

  expect(answer.status).toBe(401);
  expect(answer.text).toContain("WEBHOOK_SIGNATURE_INVALID");
});

it("hears of what happens to an order's money through the edge", async () => {
  using shop = await openShop();
  const { paymentProviderUrl } = shop.mesh;
  const stats = async () => {
    const response = await fetch(`${paymentProviderUrl}/admin/webhooks`);
    return (await response.json()) as WebhookStats;
  };
  const before = await stats();

  await shop.settled(shop.order(1));

  await eventually(
    "the provider's events are taken",
    async () => (await stats()).delivered >= before.delivered + 2,
    30_000,
  );
  expect((await stats()).forgedAccepted).toBe(0);
});

it("shows the ledger of a payment, and finds no difference from the provider", async () => {
  using shop = await openShop();
  const { name, payment } = await shop.settled(shop.order(2));

  const { entries } = await shop.client.payments.listLedgerEntries({ payment });
  const { balances } = await shop.client.payments.getBalances({ payment });
  const now = BigInt(Math.floor(Date.now() / 1_000));
  const { comparedCount } = await shop.client.payments.reconcilePayments({
    startTime: { seconds: now - 600n },
    endTime: { seconds: now + 60n },
  });
  const { findings } = await shop.client.payments.listReconciliationFindings(
    {},
  );

  expect(entries.length).toBeGreaterThanOrEqual(6);
  expect(balances.map(({ amount }) => amount?.units)).toContain(25n);
  expect(comparedCount).toBeGreaterThan(0);
  expect(findings.filter((finding) => finding.payment === payment)).toEqual([]);
  expect(name).toMatch(/^orders\//);
});
