import { eventually } from "../support/eventually.ts";
import type { WebhookStats } from "../../deploy/local/payment-provider/webhooks.ts";
import type { PlannedWebhooks } from "./scenario.ts";

/** Makes the provider's webhooks go wrong as planned, until the next plan. */
export async function spoilWebhooks(
  providerUrl: string,
  { delayMs, ...planned }: PlannedWebhooks,
): Promise<void> {
  const form = { ...planned, delay_ms: delayMs };
  const body = new URLSearchParams(
    Object.entries(form).map(([name, value]) => [name, String(value)]),
  );
  // Another fault of the plan may just have killed the provider.
  await eventually("the provider takes the plan of its webhooks", async () => {
    try {
      const signal = AbortSignal.timeout(2_000);
      const request = { method: "POST", body, signal };
      const response = await fetch(`${providerUrl}/admin/webhooks`, request);
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  });
}

/** What has become of the webhooks so far. */
export async function webhookStats(providerUrl: string): Promise<WebhookStats> {
  const response = await fetch(`${providerUrl}/admin/webhooks`, {
    signal: AbortSignal.timeout(10_000),
  });
  // The provider answers with its counts.
  return (await response.json()) as WebhookStats;
}
