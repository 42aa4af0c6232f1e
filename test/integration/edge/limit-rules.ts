import { readFileSync } from "node:fs";
import { z } from "zod";

const classesFile = z.object({
  classes: z.array(z.object({ name: z.string() })),
});
const GENEROUS =
  "{ algorithm: fixed-window, limit: 1000000, period: 1h, when_redis_away: open }";

/** A file of rules for the contracts as they are: those given, and for each other class one that refuses nobody. */
export function limitRules(rules: Readonly<Record<string, string>>): string {
  const { classes } = classesFile.parse(
    JSON.parse(readFileSync("gen/edge/rate-classes.json", "utf8")),
  );
  const lines = classes.map(
    ({ name }) =>
      `  ${name}: { when_service_away: open, rules: { rule: ${rules[name] ?? GENEROUS} } }`,
  );
  return `domain: edge\ndefault_plan: free\nplans: { free: {}, double: { scale: 2 } }\nclasses:\n${lines.join("\n")}\n`;
}
