import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import type { RateLimitOptions } from "./rate-limits.ts";

const schema = z.object({
  domain: z.string(),
  classes: z.record(
    z.string(),
    z.object({ when_service_away: z.enum(["open", "closed"]) }),
  ),
});

/** What the edge has to know of a file of rate limits: its domain, and for which classes it is closed without the service. */
export function readRateLimits(
  file: string | URL,
): Pick<RateLimitOptions, "domain" | "failClosed"> {
  const { domain, classes } = schema.parse(parse(readFileSync(file, "utf8")));
  const failClosed = Object.entries(classes)
    .filter(([, { when_service_away }]) => when_service_away === "closed")
    .map(([name]) => name);
  return { domain, failClosed };
}
