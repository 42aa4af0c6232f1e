import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import {
  ensureCertificates,
  type Certificates,
} from "../../../deploy/local/certificates.ts";
import { runDirectory } from "./setup.ts";

const DAY_MS = 24 * 3_600_000;

test("names each service for TLS and for the mesh", async () => {
  await using world = await setup();

  const { services, edgeMesh, edgePublic } = world.certificates;

  expect(await namesOf(services["order"]?.cert)).toBe(
    "DNS:localhost, IP Address:127.0.0.1, DNS:order, URI:spiffe://weft/order",
  );
  expect(await namesOf(edgeMesh.cert)).toContain("URI:spiffe://weft/edge");
  expect(await namesOf(edgePublic.cert)).toBe(
    "DNS:localhost, IP Address:127.0.0.1, DNS:edge",
  );
});

test("keeps keys readable by their owner only", async () => {
  await using world = await setup();
  const { services, edgePublic } = world.certificates;
  const caKey = join(world.folder, "ca-key.pem");

  for (const key of [services["order"]?.key ?? "", edgePublic.key, caKey]) {
    expect((await stat(key)).mode & 0o777, key).toBe(0o600);
  }
});

test("lets two services authenticate each other", async () => {
  await using world = await setup();

  const peer = await handshake(world.certificates, "order", "payment");

  expect(peer.subjectaltname).toContain("URI:spiffe://weft/order");
});

test("keeps certificates until a week before their end, then renews them under the same authority", async () => {
  await using world = await setup();
  const serial = await serialOf(world.certificates);
  const authority = await readFile(world.certificates.ca, "utf8");

  const kept = await serialOf(await world.ensureInDays(82));
  const renewed = await serialOf(await world.ensureInDays(84));

  expect(kept).toBe(serial);
  expect(renewed).not.toBe(serial);
  expect(await readFile(world.certificates.ca, "utf8")).toBe(authority);
});

test("issues all anew when the authority ends", async () => {
  await using world = await setup();
  const later = await world.ensureInDays(3_645);

  const authority = new X509Certificate(await readFile(later.ca));
  const cert = await readFile(later.services["order"]?.cert ?? "");

  expect(new X509Certificate(cert).verify(authority.publicKey)).toBe(true);
  expect(authority.validToDate.getTime()).toBeGreaterThan(
    Date.now() + 7_000 * DAY_MS,
  );
});

async function setup() {
  const directory = await runDirectory();
  const folder = join(directory.path, "tls");
  const services = ["order", "payment"];
  const now = Date.now();
  return {
    folder,
    certificates: await ensureCertificates(folder, services, new Date(now)),
    ensureInDays: (days: number) =>
      ensureCertificates(folder, services, new Date(now + days * DAY_MS)),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

async function namesOf(file = ""): Promise<string | undefined> {
  return new X509Certificate(await readFile(file)).subjectAltName;
}

async function serialOf(certificates: Certificates): Promise<string> {
  const cert = await readFile(certificates.services["order"]?.cert ?? "");
  return new X509Certificate(cert).serialNumber;
}

/** The client's certificate as the server verified it. */
async function handshake(
  certificates: Certificates,
  client: string,
  server: string,
) {
  const ca = await readFile(certificates.ca);
  const pair = async (name: string) => ({
    ca,
    cert: await readFile(certificates.services[name]?.cert ?? ""),
    key: await readFile(certificates.services[name]?.key ?? ""),
  });
  const listener = createServer({
    ...(await pair(server)),
    requestCert: true,
    rejectUnauthorized: true,
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  // A TCP listener's address is never a string.
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, "secureConnection");
  const socket = connect({
    ...(await pair(client)),
    port,
    host: "127.0.0.1",
    servername: server,
  });
  await once(socket, "secureConnect");
  const [peer] = (await accepted) as [TLSSocket];
  const certificate = peer.getPeerCertificate();
  socket.destroy();
  peer.destroy();
  listener.close();
  return certificate;
}
