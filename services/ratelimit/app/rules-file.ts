import { z } from "zod";

const MICROSECONDS = {
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3_600e6,
  d: 86_400e6,
} as const;
const LONGEST_PERIOD_US = 366 * 86_400e6;

/** `250ms`, `1s`, `5m`, `2h`, `30d`: any whole number of a unit, up to a year. In microseconds. */
const period = z
  .string()
  .regex(/^[1-9]\d{0,8}(ms|s|m|h|d)$/, "must be like 250ms, 1s, 5m, 2h or 30d")
  .transform((text) => {
    const [, number = "", unit = "s"] = /^(\d+)(\w+)$/.exec(text) ?? [];
    // The expression above lets no other unit pass.
    return Number(number) * MICROSECONDS[unit as keyof typeof MICROSECONDS];
  })
  .refine((us) => us <= LONGEST_PERIOD_US, "must be a year at most");

const count = z.int().min(1).max(1e9);
const name = z
  .string()
  .max(48)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "must be lower-case words joined by -");
const entry = z.string().min(1).max(64);
const value = z.string().min(1).max(255);

const rule = z.strictObject({
  per: z.array(entry).max(8).default([]),
  when: z.record(entry, value).default({}),
  algorithm: z.enum([
    "gcra",
    "token-bucket",
    "sliding-window",
    "fixed-window",
    "concurrency",
  ]),
  limit: count,
  period: period.optional(),
  burst: count.optional(),
  buckets: z.int().min(2).max(120).optional(),
  lease: period.optional(),
  plans: z
    .record(name, z.strictObject({ limit: count, burst: count.optional() }))
    .default({}),
  when_redis_away: z.enum(["open", "closed", "local"]),
  shadow: z.boolean().default(false),
});

const limitOverride = z.strictObject({
  rule: z.string(),
  tenant: value.optional(),
  subject: value.optional(),
  limit: count.optional(),
  burst: count.optional(),
  unlimited: z.literal(true).optional(),
});

/** The file of numbers, as it is written. */
export const rulesFile = z.strictObject({
  domain: z.string().regex(/^[a-z0-9-]{1,32}$/),
  /** Every rule counts and reports, and nobody is refused. */
  shadow: z.boolean().default(false),
  default_plan: name,
  plans: z.record(
    name,
    z.strictObject({ scale: z.number().min(0.001).max(1e6).default(1) }),
  ),
  tenants: z.record(value, z.strictObject({ plan: name })).default({}),
  classes: z.record(
    name,
    z.strictObject({
      /** Read by the edge: what it does where this service does not answer. */
      when_service_away: z.enum(["open", "closed"]),
      rules: z.record(name, rule),
    }),
  ),
  overrides: z.array(limitOverride).max(10_000).default([]),
});

export type RulesFile = z.infer<typeof rulesFile>;
export type RuleEntry = z.infer<typeof rule>;
export type OverrideEntry = z.infer<typeof limitOverride>;
