import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the ephemeral range (Linux 32768, macOS 49152): a port from that range
 * can be taken by an outgoing connection between the choice and the bind.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const ATTEMPTS = 100;
/** So many ports are not given again: a mesh chooses some 30, most of them long before anything listens there. */
const REMEMBERED = 1_000;
const given = new Set<number>();

/** A port that nobody listens on and this process has not given lately, random so that concurrent runs do not meet. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (given.has(port)) continue;
    given.add(port);
    if (given.size > REMEMBERED) forgetOldest();
    if (await isPortFree(port)) return port;
  }
  throw new Error(
    `no free port between ${LOWEST} and ${HIGHEST} in ${ATTEMPTS} attempts`,
  );
}

function forgetOldest(): void {
  const [oldest] = given;
  if (oldest !== undefined) given.delete(oldest);
}

/** The preferred port, or a free one where that is taken. */
export async function portNear(preferred: number): Promise<number> {
  return (await isPortFree(preferred)) ? preferred : freePort();
}

/** Whether 127.0.0.1 and all addresses (a listener on 0.0.0.0) are unbound. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port, "127.0.0.1")) && canListen(port, "0.0.0.0");
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
