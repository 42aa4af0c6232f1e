import {
  Agent as HttpAgent,
  request as requestHttp,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { ProviderReply, ProviderRequest } from "./provider-http.ts";

/** Connections to the provider, kept open between requests. */
export interface ProviderConnections {
  /** Sends one request and reads its answer. Rejects when there is none, or `signal` aborts. */
  exchange(
    request: ProviderRequest,
    signal: AbortSignal,
  ): Promise<ProviderReply>;
  close(): void;
}

/** As many as calls that the server takes may wait at a time; more of them wait for one. */
const MAX_CONNECTIONS = 256;
/** Far past any answer of the API. */
const MAX_BODY_BYTES = 1_000_000;

/**
 * Node's own client: 53 us of CPU a request, against 200 us of `fetch`, which was a third of what an order took here.
 */
export function connectProvider(baseUrl: string): ProviderConnections {
  const isSecure = new URL(baseUrl).protocol === "https:";
  const options = { keepAlive: true, maxSockets: MAX_CONNECTIONS };
  const agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  const send = isSecure ? requestHttps : requestHttp;

  function exchangeOnce(
    { method, path, form, idempotencyKey }: ProviderRequest,
    signal: AbortSignal,
  ): Promise<ProviderReply> {
    const { promise, resolve, reject } = Promise.withResolvers<ProviderReply>();
    const request = send(new URL(path, baseUrl), {
      agent,
      method,
      signal,
      headers: {
        ...(form && { "content-type": "application/x-www-form-urlencoded" }),
        ...(idempotencyKey !== undefined && {
          "idempotency-key": idempotencyKey,
        }),
      },
    });
    request.on("response", (response) => {
      readReply(response).then(resolve, reject);
    });
    request.on("error", (error) =>
      reject(
        request.reusedSocket && isReset(error) ? new StaleConnection() : error,
      ),
    );
    request.end(form && new URLSearchParams(form).toString());
    return promise;
  }

  return {
    async exchange(request, signal) {
      try {
        return await exchangeOnce(request, signal);
      } catch (error) {
        // The provider closed a connection that it found idle, just then. Its key makes the second one harmless.
        if (error instanceof StaleConnection)
          return exchangeOnce(request, signal);
        throw error;
      }
    },
    close: () => agent.destroy(),
  };
}

class StaleConnection extends Error {
  override readonly name = "StaleConnection";
}

async function readReply(response: IncomingMessage): Promise<ProviderReply> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an encoding a stream's chunks are Buffers.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES)
      throw new Error("the provider's answer is too long");
    chunks.push(chunk);
  }
  const { statusCode: status = 0 } = response;
  if (status >= 500 || status === 429 || (status >= 300 && status < 400)) {
    throw new Error(`the provider answered with status ${status}`);
  }
  return { status, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) };
}

function isReset(error: Error): boolean {
  return (
    "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE")
  );
}
