import { CLASS_ENTRY, type Check } from "./check.ts";
import type { RuleSet } from "./rule.ts";
import { readSubject } from "./subject.ts";

/** Who was refused, as text: what is counted, and the plan by whose numbers, which decides where and how far. */
export function writeOffender({ rule, subject, plan }: Check): string {
  return plan === "" || rule.per.includes("plan")
    ? subject
    : `${subject} plan=${encodeURIComponent(plan)}`;
}

/** The reverse of {@link writeOffender}, with all entries that a request of the offender's meets this rule by. */
export function readOffender(
  rules: RuleSet,
  text: string,
): {
  readonly rule: string;
  readonly entries: Readonly<Record<string, string>>;
} {
  const { rule: name, entries } = readSubject(text);
  const [rateClass = ""] = name.split("/");
  const rule = rules.rulesByClass
    .get(rateClass)
    ?.find((one) => one.name === name);
  const when = Object.fromEntries(rule?.when ?? []);
  return {
    rule: name,
    entries: { [CLASS_ENTRY]: rateClass, ...entries, ...when },
  };
}
