import { invalidParam } from "./provider-error.ts";

const TERM = /^metadata\['([A-Za-z0-9_]{1,40})'\]:'([^']{0,500})'$/;

/**
 * Reads the part of Stripe's search language that looks up metadata:
 * `metadata['payment_id']:'...' AND metadata['tenant']:'...'`.
 */
export function parseSearchQuery(
  query: string | null,
): ReadonlyMap<string, string> {
  const terms = (query ?? "").split(" AND ").map((term) => TERM.exec(term));
  const pairs = new Map<string, string>();
  for (const term of terms) {
    const [, key, value] = term ?? [];
    if (key === undefined || value === undefined) {
      throw invalidParam(
        "query",
        "The query is not metadata['key']:'value', joined by AND.",
      );
    }
    pairs.set(key, value);
  }
  return pairs;
}
