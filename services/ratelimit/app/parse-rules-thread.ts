import { parentPort, workerData } from "node:worker_threads";
import type { RuleSet } from "../domain/rule.ts";
import { parseRules, RulesError } from "./parse-rules.ts";
import type { RateClasses } from "./rate-classes.ts";

/** What the thread is given. */
export interface RulesToParse {
  readonly text: string;
  readonly classes: RateClasses;
}

/** What it answers. */
export type ParsedRules =
  { readonly rules: RuleSet } | { readonly faults: string };

parentPort?.postMessage(parse());

function parse(): ParsedRules {
  // `parseRulesApart` alone starts it.
  const { text, classes } = workerData as RulesToParse;
  try {
    return { rules: parseRules(text, classes) };
  } catch (error) {
    if (error instanceof RulesError) return { faults: error.message };
    throw error;
  }
}
