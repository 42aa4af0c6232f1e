import { createClient } from "@connectrpc/connect";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { expect, it } from "vitest";
import { filesOf } from "../../../deploy/local/certificate-files.ts";
import {
  dropOldAuthority,
  reissueCertificates,
  signByNextAuthority,
  trustNextAuthority,
} from "../../../deploy/local/rotate-certificates.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import { watchedTlsFiles } from "../../../services/platform/runtime/tls-files.ts";
import { eventually } from "../../support/eventually.ts";
import { isAnswered } from "../../support/is-answered.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { startEdgeWorld, type EdgeWorld } from "./edge-world.ts";
import { send } from "../../support/edge-http.ts";
import { ORDER } from "./upstream.ts";

it("shows new certificates, and serves with them, without a restart", async () => {
  await using world = await startEdgeWorld();
  using client = meshClient(world);
  const before = await shown(world);

  await reissueCertificates(world.tlsFolder);
  await eventually("the edge and the service show new certificates", async () =>
    (await shown(world)).every((each, i) => each !== before[i]),
  );

  await reconnect(world);
  expect(await callThroughEdge(world)).toBe(200);
  await client.call();
}, 60_000);

it("changes the authority while calls go on, and none fails", async () => {
  await using world = await startEdgeWorld();
  using client = meshClient(world);
  const calls = callOnAndOn(world);
  const old = await readFile(join(world.tlsFolder, "ca.pem"), "utf8");

  await trustNextAuthority(world.tlsFolder);
  await settled(world, client);
  const issuedByOld = await shown(world);
  await signByNextAuthority(world.tlsFolder);
  await eventually(
    "the edge and the service show certificates of the new authority",
    async () =>
      (await shown(world)).every((each, i) => each !== issuedByOld[i]),
  );
  await settled(world, client);
  await dropOldAuthority(world.tlsFolder);
  await settled(world, client);
  const { made, failures } = await calls.stop();

  expect(failures).toEqual([]);
  expect(made).toBeGreaterThan(10);
  const now = await readFile(join(world.tlsFolder, "ca.pem"), "utf8");
  expect(now).not.toContain(old.trim());
  expect(now.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
  expect(await callThroughEdge(world)).toBe(200);
  await client.call();
}, 90_000);

it("trusts nobody of an authority that was dropped", async () => {
  await using world = await startEdgeWorld();
  const issued = await shown(world);
  const oldEdge = await pairOf(world, "edge");
  const oldOrder = await pairOf(world, "order");
  await trustNextAuthority(world.tlsFolder);
  await signByNextAuthority(world.tlsFolder);
  await eventually(
    "the edge and the service show certificates of the new authority",
    async () => (await shown(world)).every((each, i) => each !== issued[i]),
  );
  const whileBothAreTrusted = await answersTo(world, oldEdge);
  const newEdge = await pairOf(world, "edge");
  const newOrder = await pairOf(world, "order");

  await dropOldAuthority(world.tlsFolder);
  await eventually("the service refuses a certificate of the old", async () =>
    (await answersTo(world, oldEdge)).every((isAnswer) => !isAnswer),
  );
  const answers = await answersTo(world, newEdge);
  const ofOld = await callService(world, oldOrder);
  const ofNew = await callService(world, newOrder);

  expect(whileBothAreTrusted).toEqual([true, true]);
  expect(answers).toEqual([true, true]);
  expect([ofOld, ofNew]).toEqual([503, 200]);
  await expect.poll(() => world.log()).toContain("CERTIFICATE_VERIFY_FAILED");
}, 60_000);

/** A service that calls the order service directly, by grpc-js, and reads its certificates as services do. */
function meshClient(world: EdgeWorld) {
  const file = (name: string) => join(world.tlsFolder, name);
  const tls = watchedTlsFiles({
    ca: file("ca.pem"),
    cert: file("edge.pem"),
    key: file("edge-key.pem"),
  });
  const claims = { sub: "ada", tenant: "demo", scope: "orders:read" };
  const encoded = Buffer.from(JSON.stringify(claims)).toString("base64url");
  const transport = createMeshTransport({
    address: `127.0.0.1:${world.orderPort}`,
    callee: "order",
    tls,
    logger: silentLogger,
  });
  const orders = createClient(OrderService, transport);
  return {
    call: () =>
      orders.getOrder(
        { name: ORDER },
        { headers: { "x-weft-claims": encoded } },
      ),
    [Symbol.dispose]: () => transport.close(),
  };
}

/** Longer than anybody takes to look at the files, and then new connections everywhere. */
async function settled(
  world: EdgeWorld,
  client: ReturnType<typeof meshClient>,
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await client.call();
  await shown(world);
}

async function reconnect(world: EdgeWorld): Promise<void> {
  await world.stopUpstream();
  await world.startUpstream();
}

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

async function pairOf({ tlsFolder }: EdgeWorld, name: string): Promise<Pair> {
  const { cert, key } = filesOf(tlsFolder, name);
  return { cert: await readFile(cert), key: await readFile(key) };
}

/** Whether the order service's two servers answer somebody new who shows this. */
async function answersTo(world: EdgeWorld, pair: Pair): Promise<boolean[]> {
  const ca = await readFile(join(world.tlsFolder, "ca.pem"));
  const ports = [world.orderPort, world.orderConnectPort];
  return Promise.all(ports.map((port) => isAnswered(port, { ca, ...pair })));
}

/** The status of a call through the edge to an order service that has just come up and shows this. */
async function callService(world: EdgeWorld, pair: Pair): Promise<number> {
  const { cert, key } = filesOf(world.tlsFolder, "order");
  await writeFile(key, pair.key);
  await writeFile(cert, pair.cert);
  await reconnect(world);
  return callThroughEdge(world);
}

/** The fingerprints that the edge and the order service's two servers show. */
async function shown(world: EdgeWorld): Promise<string[]> {
  const ports = [world.port, world.orderPort, world.orderConnectPort];
  return Promise.all(ports.map((port) => fingerprint(world, port)));
}

async function fingerprint(world: EdgeWorld, port: number): Promise<string> {
  const file = (name: string) => readFile(join(world.tlsFolder, name));
  const socket = connectTls({
    port,
    host: "127.0.0.1",
    servername: "localhost",
    ca: await file("ca.pem"),
    cert: await file("edge.pem"),
    key: await file("edge-key.pem"),
    ALPNProtocols: ["h2"],
  });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** One call after another, each on a connection of its own, by clients that trust what the file says then. */
function callOnAndOn(world: EdgeWorld) {
  let isOver = false;
  let made = 0;
  const failures: string[] = [];
  const work = async () => {
    while (!isOver) {
      made += 1;
      const status = await callThroughEdge(world).catch(String);
      if (status !== 200) failures.push(String(status));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const done = work();
  return {
    async stop() {
      isOver = true;
      await done;
      return { made, failures };
    },
  };
}

async function callThroughEdge(world: EdgeWorld): Promise<number> {
  const ca = await readFile(join(world.tlsFolder, "ca.pem"));
  const { status } = await send({ ...world, ca }, { path: `/v1/${ORDER}` });
  return status;
}
