import { setTimeout as delay } from "node:timers/promises";
import type { Toxic } from "../support/tcp-proxy.ts";
import type { Inflict } from "./faults.ts";
import { HOPS, TOXICS, type Hop, type NetworkFault } from "./scenario.ts";

type ToxicName = (typeof TOXICS)[number];

/** A reset is over at once: it comes again and again while the fault lasts. */
const RESET_EVERY_MS = 400;

const POISON: Readonly<Record<ToxicName, Toxic>> = {
  delay: { delayMs: 300, jitterMs: 200 },
  trickle: { bytesPerSecond: 20_000 },
  reset: {},
  blackhole: { swallows: "all" },
  mute: { swallows: "answers" },
  "close late": { closeAfterMs: 3_000 },
};

/** What a network does to the connections of the order's services to one of those that they need. */
export const NETWORK_FAULTS = Object.fromEntries(
  TOXICS.flatMap((toxic) =>
    HOPS.map((hop) => [`${toxic} ${hop}`, poisonHop(toxic, hop)]),
  ),
  // One of each name.
) as Record<NetworkFault, Inflict>;

function poisonHop(toxic: ToxicName, hop: Hop): Inflict {
  return async (_, forMs, { proxies }) => {
    const proxy = proxies[hop];
    proxy.poison(POISON[toxic]);
    try {
      for (const endsAt = performance.now() + forMs; ;) {
        // Without new connections nothing is closed.
        if (toxic === "reset" || toxic === "close late") proxy.reset();
        const left = endsAt - performance.now();
        if (left <= 0) return;
        await delay(Math.min(left, RESET_EVERY_MS));
      }
    } finally {
      proxy.poison(undefined);
    }
  };
}
