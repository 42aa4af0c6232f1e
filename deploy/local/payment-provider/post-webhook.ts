import { readFile } from "node:fs/promises";
import { request as overHttp } from "node:http";
import { request as overHttps } from "node:https";

/**
 * Posts an event, and tells whether it was taken. The authority is read each
 * time: it changes while this process runs, and what Node is told at its start
 * (NODE_EXTRA_CA_CERTS) stays. Connections are kept as long as it is the same.
 */
export async function postWebhook(
  url: string,
  webhook: { readonly payload: string; readonly signature: string },
  options: {
    /** Whose certificates are taken; those that Node knows when left out. */
    readonly caFile: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const { caFile, signal } = options;
  const isTls = new URL(url).protocol === "https:";
  const ca = isTls && caFile ? await readFile(caFile, "utf8") : undefined;
  const send = isTls ? overHttps : overHttp;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method: "POST",
      signal,
      headers: {
        "content-type": "application/json; charset=utf-8",
        "content-length": Buffer.byteLength(webhook.payload),
        "stripe-signature": webhook.signature,
      },
      ...(ca === undefined ? {} : { ca }),
    });
    request.on("error", reject);
    request.once("response", (response) => {
      // Node sets the status of every answer.
      const status = response.statusCode as number;
      response.resume();
      resolve(status >= 200 && status < 300);
    });
    request.end(webhook.payload);
  });
}
