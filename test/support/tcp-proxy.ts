import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** What is wrong with a network; each alone or with others. */
export interface Toxic {
  /** Bytes arrive so late, each way. */
  readonly delayMs?: number;
  /** And up to so much later still, in their order. */
  readonly jitterMs?: number;
  /** So many bytes a second, each way. */
  readonly bytesPerSecond?: number;
  /** Nothing passes: both ways, or only the answers. Connections are made, and hang, and break when it is over. */
  readonly swallows?: "all" | "answers";
  /** Who closes is heard so late. */
  readonly closeAfterMs?: number;
}

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on this is wrong, or nothing. */
  poison(toxic: Toxic | undefined): void;
  /** What is connected now carries nothing any more, its end neither; who connects anew is well. */
  silence(): void;
  /** Breaks every connection with RST. */
  reset(): void;
  readonly connections: () => number;
}

/** Bytes that may wait in the proxy for one direction of one connection, before it takes no more. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Stands before a TCP server on the loopback, and does to its bytes what a network may. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  let toxic: Toxic | undefined;
  const pairs = new Set<Pair>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const options = { port: targetPort, host: "127.0.0.1" };
    const upstream = connect({ ...options, allowHalfOpen: true });
    const pair: Pair = {
      sockets: [client, upstream],
      isSpoilt: false,
      isSilent: false,
    };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair.sockets) {
      socket.setNoDelay(true);
      socket.on("error", end);
    }
    carry(client, upstream, () => toxic, pair, "all");
    carry(upstream, client, () => toxic, pair, "answers");
    upstream.on("close", () => pairs.delete(pair));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const reset = (chosen: readonly Pair[]) => {
    for (const { sockets } of chosen) {
      for (const socket of sockets) socket.resetAndDestroy();
    }
  };
  return {
    // A server that listens on a TCP port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    poison(next) {
      // What was swallowed can't be had any more, so its connections are of no use.
      reset([...pairs].filter(({ isSpoilt }) => isSpoilt));
      toxic = next;
    },
    silence() {
      for (const pair of pairs) pair.isSilent = true;
    },
    reset: () => reset([...pairs]),
    connections: () => pairs.size,
    async [Symbol.asyncDispose]() {
      for (const { sockets } of pairs) {
        for (const socket of sockets) socket.destroy();
      }
      server.close();
      await once(server, "close");
    },
  };
}

interface Pair {
  readonly sockets: readonly [Socket, Socket];
  /** Some of its bytes are lost. */
  isSpoilt: boolean;
  isSilent: boolean;
}

/** One direction. Bytes leave in the order in which they came, each no sooner than the toxic lets it. */
function carry(
  from: Socket,
  to: Socket,
  toxicNow: () => Toxic | undefined,
  pair: Pair,
  direction: "all" | "answers",
): void {
  let freeAt = 0;
  let waiting = 0;
  // Timers of different lengths may fire in another order, so only the first in the queue has one.
  const queue: { readonly at: number; readonly act: () => void }[] = [];
  const run = () => {
    for (let first = queue[0]; first; first = queue[0]) {
      const waitMs = first.at - performance.now();
      if (waitMs > 0) return void setTimeout(run, waitMs);
      queue.shift();
      first.act();
    }
  };
  const later = (pauseMs: number, act: () => void) => {
    freeAt = Math.max(freeAt, performance.now() + pauseMs);
    queue.push({ at: freeAt, act });
    if (queue.length === 1) run();
  };
  from.on("data", (bytes: Buffer) => {
    if (pair.isSilent) return;
    const { swallows, delayMs = 0, jitterMs = 0, ...toxic } = toxicNow() ?? {};
    if (swallows === "all" || swallows === direction) {
      pair.isSpoilt = true;
      return;
    }
    const paceMs =
      toxic.bytesPerSecond === undefined
        ? 0
        : (bytes.length / toxic.bytesPerSecond) * 1_000;
    waiting += bytes.length;
    if (waiting > MAX_WAITING_BYTES) from.pause();
    later(delayMs + Math.random() * jitterMs + paceMs, () => {
      waiting -= bytes.length;
      if (waiting <= MAX_WAITING_BYTES) from.resume();
      if (!to.destroyed) to.write(bytes);
    });
  });
  from.on("end", () => {
    if (!pair.isSilent) later(toxicNow()?.closeAfterMs ?? 0, () => to.end());
  });
}
