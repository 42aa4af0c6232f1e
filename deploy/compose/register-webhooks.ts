import { registerWebhooks } from "../local/mesh-start-services.ts";
import { waitUntil } from "../local/wait.ts";
import { readComposeConfig } from "./config.ts";

const DEADLINE_MS = 60_000;

/** Tells the payment provider where its events go, as soon as it answers. May be repeated. */
const { state, paymentProviderUrl, edge } = readComposeConfig(process.env);
await waitUntil(
  async () => {
    await registerWebhooks(state, paymentProviderUrl, edge.url);
    return true;
  },
  { what: "the payment provider to take webhooks", deadlineMs: DEADLINE_MS },
);
console.log(`${paymentProviderUrl} sends its events to ${edge.url}`);
