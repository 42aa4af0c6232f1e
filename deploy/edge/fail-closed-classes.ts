import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

const schema = z.object({
  classes: z.record(
    z.string(),
    z.object({ when_service_away: z.enum(["open", "closed"]) }),
  ),
});

/** The classes of a file of rate limits whose calls are refused while the rate-limit service does not answer. */
export function failClosedClasses(file: string | URL): string[] {
  const { classes } = schema.parse(parse(readFileSync(file, "utf8")));
  return Object.entries(classes)
    .filter(([, { when_service_away }]) => when_service_away === "closed")
    .map(([name]) => name);
}
