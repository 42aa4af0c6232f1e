import type { ExecutePlanResponse_ObservedMetrics } from "../../../../gen/ts/spark/connect/base_pb.ts";
import { z } from "zod";
import type { OutputPart, Totals } from "../../domain/sort-job.ts";

/** The name under which a plan observes what it reads. */
export const observed = "weft_read";

/** Totals as SQL, by the names that {@link totalsOf} and {@link partsOf} know. Sums of 10^12 lines still fit. */
export const totalsSql = {
  records: "count(1)",
  bytes: "coalesce(sum(octet_length(value) + 1), 0)",
  checksum:
    "cast(coalesce(sum(cast(crc32(cast(value as binary)) as decimal(20, 0))), 0) as string)",
} as const;

/** What a plan has read, from what Spark says it observed. */
export function totalsOf(
  metrics: readonly ExecutePlanResponse_ObservedMetrics[],
): Totals | undefined {
  const found = metrics.find(({ name }) => name === observed);
  if (!found) return undefined;
  const values = found.keys.map((key, index) => [
    key,
    found.values[index]?.literalType.value,
  ]);
  return totals.parse(Object.fromEntries(values));
}

/** The lines of a manifest that Spark has written. The name is the last part of a URI. */
export function partsOf(json: string): OutputPart[] {
  return json
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const { path, ...rest } = part.parse(JSON.parse(line));
      return {
        name: decodeURIComponent(path.split("/").at(-1) ?? ""),
        ...rest,
      };
    });
}

const totals = z.object({
  records: z.coerce.number().int(),
  bytes: z.coerce.number().int(),
  checksum: z.string(),
});
const part = totals.extend({ path: z.string() });
