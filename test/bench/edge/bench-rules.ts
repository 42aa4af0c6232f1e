import { readFileSync } from "node:fs";

/** The rules as they ship: what is measured is what runs. */
export const shippedRules = readFileSync(
  new URL("../../../deploy/rate-limits.yaml", import.meta.url),
  "utf8",
);

/** The same, but that callers whom no token names are not refused either: an edge is measured with a part left out. */
export const limiterRules = shippedRules.replace(
  "\ntenants:\n",
  "\ntenants:\n  anonymous: { plan: development }\n",
);
