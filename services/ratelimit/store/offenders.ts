import type { Redis } from "ioredis";

const HOUR_MS = 3_600_000;
const KEPT_HOURS = 2;
const KEPT_MEMBERS = 1_000;

export interface Refused {
  readonly subject: string;
  readonly refusals: number;
}

/** Adds refusals to this hour's, of which the thousand most are kept for two hours: all at once, so that none stays for ever. */
export async function addRefusals(
  redis: Redis,
  domain: string,
  counts: ReadonlyMap<string, number>,
  now: Date,
): Promise<void> {
  const key = keyOf(domain, now.getTime());
  const commands = redis.multi();
  for (const [subject, count] of counts) commands.zincrby(key, count, subject);
  commands.zremrangebyrank(key, 0, -KEPT_MEMBERS - 1);
  commands.pexpire(key, KEPT_HOURS * HOUR_MS);
  await commands.exec();
}

/** Who was refused most in this hour and the last. */
export async function listRefused(
  redis: Redis,
  domain: string,
  most: number,
  now: Date,
): Promise<Refused[]> {
  const hours = [0, HOUR_MS].map((ago) => keyOf(domain, now.getTime() - ago));
  const sums = new Map<string, number>();
  for (const key of hours) {
    const found = await redis.zrevrange(key, 0, KEPT_MEMBERS - 1, "WITHSCORES");
    for (let index = 0; index + 1 < found.length; index += 2) {
      const subject = found[index] ?? "";
      const count = Number(found[index + 1]);
      sums.set(subject, (sums.get(subject) ?? 0) + count);
    }
  }
  return [...sums]
    .map(([subject, refusals]) => ({ subject, refusals }))
    .toSorted((a, b) => b.refusals - a.refusals)
    .slice(0, most);
}

function keyOf(domain: string, ms: number): string {
  return `weft:rl:{${domain}}:offenders:${Math.floor(ms / HOUR_MS)}`;
}
