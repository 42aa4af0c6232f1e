import { checksOf } from "../domain/check.ts";
import type { RuleSet } from "../domain/rule.ts";
import type { CounterKey } from "../store/counter-key.ts";
import type { Leases } from "../store/leases.ts";

export interface ReleaseDeps {
  readonly rules: () => RuleSet;
  readonly counterKey: CounterKey;
  readonly leases: Pick<Leases, "giveBack">;
}

/** Gives back what ended streams held. What a process keeps when it ends runs out by itself. */
export async function release(
  deps: ReleaseDeps,
  domain: string,
  ended: readonly ReadonlyMap<string, string>[],
): Promise<void> {
  const rules = deps.rules();
  if (domain !== rules.domain) return;
  const held = ended
    .flatMap((entries) => checksOf(rules, { entries, hits: 1 }, () => ""))
    .filter(({ rule, lease }) => rule.algorithm === "concurrency" && lease)
    .map((check) => ({ key: deps.counterKey(check), lease: check.lease }));
  await deps.leases.giveBack(held);
}
