import type { Override } from "./rule.ts";

/** The overrides of one rule, by subject and then by tenant; under `undefined` lies what holds for all of them. */
export type Overrides = ReadonlyMap<
  string | undefined,
  ReadonlyMap<string | undefined, Override>
>;

/** Puts overrides where {@link overrideFor} finds them, those of each rule by its name. Of two for the same the first counts. */
export function indexOverrides(
  overrides: Iterable<Override>,
): Map<string, Overrides> {
  const byRule = new Map<
    string,
    Map<string | undefined, Map<string | undefined, Override>>
  >();
  for (const override of overrides) {
    const { rule, tenant, subject } = override;
    const bySubject = byRule.get(rule) ?? new Map();
    byRule.set(rule, bySubject);
    const byTenant = bySubject.get(subject) ?? new Map();
    bySubject.set(subject, byTenant);
    if (!byTenant.has(tenant)) byTenant.set(tenant, override);
  }
  return byRule;
}

/** The narrowest override that fits: a subject's of one tenant, then a subject's, then a tenant's. */
export function overrideFor(
  overrides: Overrides,
  entries: ReadonlyMap<string, string>,
): Override | undefined {
  const tenant = entries.get("tenant");
  const ofSubject = overrides.get(entries.get("subject"));
  return (
    ofSubject?.get(tenant) ??
    ofSubject?.get(undefined) ??
    overrides.get(undefined)?.get(tenant)
  );
}

/** All of them, in no order. */
export function* eachOverride(overrides: Overrides): Generator<Override> {
  for (const byTenant of overrides.values()) yield* byTenant.values();
}
