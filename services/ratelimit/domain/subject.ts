/**
 * What is counted, as text: the rule's name and the entries that have a count of their own. Values may hold anything, so they
 * are escaped: two subjects never share a count by the way they are written.
 */
export function writeSubject(
  rule: string,
  per: readonly string[],
  entries: ReadonlyMap<string, string>,
): string {
  let text = rule;
  for (const key of per) {
    text += ` ${key}=${encodeURIComponent(entries.get(key) ?? "")}`;
  }
  return text;
}

/** The reverse of {@link writeSubject}. */
export function readSubject(text: string): {
  readonly rule: string;
  readonly entries: Readonly<Record<string, string>>;
} {
  const [rule = "", ...pairs] = text.split(" ");
  const entries = pairs.map((pair) => {
    const [key = "", value = ""] = pair.split("=");
    return [key, decodeURIComponent(value)] as const;
  });
  return { rule, entries: Object.fromEntries(entries) };
}
