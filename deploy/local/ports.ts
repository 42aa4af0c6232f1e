import { randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";

/**
 * Below the ephemeral range (Linux 32768, macOS 49152): a port from that range
 * can be taken by an outgoing connection between the choice and the bind.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;
/** A mesh chooses some 30 ports. */
const BLOCK = 100;
/** A process that has chosen more than 1,000 ports uses the first of them no longer. */
const MAX_BLOCKS = 11;
const ATTEMPTS = 100;

/** What keeps our blocks of ports, the newest last. */
const guards: Server[] = [];
/** The ports of the newest block that are not given yet. */
let left: number[] = [];
let claiming: Promise<void> | undefined;

/**
 * A port that nobody listens on, and that is given once: neither this process nor another that asks here is given it
 * again, also while nothing listens there, as between the end of a service and its next start.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = left.pop();
    if (port === undefined) {
      claiming ??= claimBlock().finally(() => (claiming = undefined));
      await claiming;
    } else if (await isPortFree(port)) {
      return port;
    }
  }
  throw new Error(
    `no free port between ${LOWEST} and ${HIGHEST} in ${ATTEMPTS} attempts`,
  );
}

/** Blocks are random, so that processes seldom ask for the same one; whoever listens on its first port has it. */
async function claimBlock(): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = LOWEST + BLOCK * randomInt((HIGHEST - LOWEST) / BLOCK);
    const guard = await listen(first, "127.0.0.1");
    if (guard === undefined) continue;
    // Held until the process ends, however that is, and no reason for it to go on.
    guard.unref();
    guards.push(guard);
    if (guards.length > MAX_BLOCKS) guards.shift()?.close();
    left = Array.from({ length: BLOCK - 1 }, (_, n) => first + 1 + n);
    return;
  }
  throw new Error(`no free block of ports in ${ATTEMPTS} attempts`);
}

/** A port that nobody else who claims is given until it is disposed of. */
export interface ClaimedPort extends AsyncDisposable {
  readonly port: number;
}

/**
 * The preferred port, or a free one where somebody listens there or has claimed
 * it. Whoever claims may listen much later. The claim is the UDP port of the
 * same number: the kernel gives it to one process, and frees it with that.
 */
export async function claimPort(preferred: number): Promise<ClaimedPort> {
  const claim = await bindUdp(preferred);
  if (claim !== undefined && (await isPortFree(preferred))) {
    return {
      port: preferred,
      [Symbol.asyncDispose]: () => closeUdp(claim),
    };
  }
  if (claim !== undefined) await closeUdp(claim);
  return { port: await freePort(), [Symbol.asyncDispose]: async () => {} };
}

/** Whether 127.0.0.1 and all addresses (a listener on 0.0.0.0) are unbound. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port, "127.0.0.1")) && canListen(port, "0.0.0.0");
}

async function canListen(port: number, host: string): Promise<boolean> {
  const server = await listen(port, host);
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

function listen(port: number, host: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}

function bindUdp(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(undefined));
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => {
      // No reason for its process to go on.
      socket.unref();
      resolve(socket);
    });
  });
}

function closeUdp(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(resolve));
}
