import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ConnectError } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { signWebhook } from "../../../deploy/local/payment-provider/webhook-signature.ts";
import type { WebhookStats } from "../../../deploy/local/payment-provider/webhooks.ts";
import {
  refusalOf,
  WEBHOOK_SECRETS,
  type Refusal,
  type World,
} from "./payment-world.ts";

export interface Hooks {
  /** The events that came, in their order, and whether each was taken. */
  readonly came: { readonly type: string; readonly isTaken: boolean }[];
  faults(form: Record<string, string>): Promise<void>;
  stats(): Promise<WebhookStats>;
}

/** Lets the provider's webhooks in, as the edge does: the bytes as they come, and their signature. */
export async function openHooks(world: World): Promise<Hooks> {
  const came: Hooks["came"] = [];
  const server = createServer((request, response) => {
    const take = async () => {
      const chunks: Buffer[] = [];
      // An IncomingMessage without an encoding yields Buffers.
      for await (const chunk of request as AsyncIterable<Buffer>) {
        chunks.push(chunk);
      }
      const body = Buffer.concat(chunks);
      const signature = request.headers["stripe-signature"];
      const refusal = await receive(world, body, String(signature));
      // The provider sent it.
      const { type } = JSON.parse(body.toString("utf8")) as { type: string };
      came.push({ type, isTaken: refusal === undefined });
      response.writeHead(refusal === undefined ? 200 : 401).end();
    };
    take().catch(() => response.writeHead(500).end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  await world.provider.post("/v1/webhook_endpoints", {
    url: `http://127.0.0.1:${port}/`,
    secret: WEBHOOK_SECRETS[1] ?? "",
  });
  return {
    came,
    faults: async (form) => {
      await world.provider.post("/admin/webhooks", form);
    },
    async stats() {
      const { text } = await world.provider.get("/admin/webhooks");
      // The provider answers with its counts.
      return JSON.parse(text) as WebhookStats;
    },
  };
}

/** Hands an event in; the refusal, where it is refused. */
export async function receive(
  world: World,
  body: Uint8Array,
  signature: string | undefined,
): Promise<Refusal | undefined> {
  const call = world
    .stranger()
    .receiveProviderEvent(
      { body: { contentType: "application/json", data: body } },
      signature === undefined
        ? {}
        : { headers: { "stripe-signature": signature } },
    );
  try {
    await call;
    return undefined;
  } catch (error) {
    return refusalOf(Promise.reject(ConnectError.from(error)));
  }
}

/** An event as the provider would send it, signed with a secret. */
export function signed(event: object, secret: string, at: Date) {
  const payload = JSON.stringify(event);
  return {
    body: Buffer.from(payload),
    signature: signWebhook(payload, secret, at.getTime()),
  };
}
