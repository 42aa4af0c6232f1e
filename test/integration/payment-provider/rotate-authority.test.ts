import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { CertificateFiles } from "../../../deploy/local/certificate-files.ts";
import { ensureCertificates } from "../../../deploy/local/certificates.ts";
import {
  dropOldAuthority,
  signByNextAuthority,
  trustNextAuthority,
} from "../../../deploy/local/rotate-certificates.ts";
import { runDirectory } from "../local/setup.ts";
import { holdForm, setupProvider } from "./provider-process.ts";

it("goes on to deliver while the endpoint's authority is changed", async () => {
  const directory = await runDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const tls = join(directory.path, "tls");
  const { ca, edgePublic } = await ensureCertificates(tls, []);
  const endpoint = await startEndpoint(edgePublic);
  const provider = await setupProvider({ webhookCaFile: ca });
  await provider.post("/v1/webhook_endpoints", {
    url: endpoint.url,
    secret: "a secret of the webhook",
  });
  // Its answer comes after the first attempt to tell of it.
  const pay = () =>
    provider.post("/v1/payment_intents", holdForm("tok_webhook_first"));

  await pay();
  await trustNextAuthority(tls);
  await pay();
  await signByNextAuthority(tls);
  await endpoint.takeCertificate();
  await pay();
  await dropOldAuthority(tls);
  await endpoint.takeCertificate();
  await pay();

  const { text } = await provider.get("/admin/webhooks");
  expect(JSON.parse(text)).toMatchObject({ delivered: 4, failedAttempts: 0 });
});

/** Takes every event, and shows the certificate of the files as they were when it was told to look. */
async function startEndpoint(files: CertificateFiles) {
  const server = createServer(await pemOf(files), (request, response) => {
    request.resume().once("end", () => response.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => stop(server));
  // A server that listens on a TCP port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}/`,
    async takeCertificate() {
      server.setSecureContext(await pemOf(files));
      server.closeAllConnections();
    },
  };
}

async function pemOf({ cert, key }: CertificateFiles) {
  return { cert: await readFile(cert), key: await readFile(key) };
}

function stop(server: Server): void {
  server.closeAllConnections();
  server.close();
}
