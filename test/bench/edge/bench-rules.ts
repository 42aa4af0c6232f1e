import { readFileSync } from "node:fs";

/** The rules as they ship: what is measured is what runs. */
export const shippedRules = readFileSync(
  new URL("../../../deploy/rate-limits.yaml", import.meta.url),
  "utf8",
);
