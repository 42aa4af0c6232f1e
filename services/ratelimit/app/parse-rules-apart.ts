import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { RuleSet } from "../domain/rule.ts";
import { RulesError } from "./parse-rules.ts";
import type { ParsedRules, RulesToParse } from "./parse-rules-thread.ts";
import type { RateClasses } from "./rate-classes.ts";

const MOST_MS = 30_000;

/**
 * Reads the numbers as `parseRules` does, in a thread of its own: ten thousand overrides take 0.4 s, and every request at the
 * edge would wait for it.
 *
 * @throws RulesError that names every fault; Error where `stop` aborts, or the thread takes longer than 30 s.
 */
export async function parseRulesApart(
  text: string,
  classes: RateClasses,
  stop: AbortSignal,
): Promise<RuleSet> {
  const toParse: RulesToParse = { text, classes };
  const thread = new Worker(
    new URL("./parse-rules-thread.ts", import.meta.url),
    { workerData: toParse },
  );
  const late = AbortSignal.timeout(MOST_MS);
  const signal = AbortSignal.any([stop, late]);
  try {
    // The thread sends this and nothing else.
    const [parsed] = (await once(thread, "message", { signal })) as [
      ParsedRules,
    ];
    if ("faults" in parsed) throw new RulesError(parsed.faults);
    return parsed.rules;
  } catch (cause) {
    if (!late.aborted) throw cause;
    throw new Error(`reading it took more than ${MOST_MS} ms`, { cause });
  } finally {
    await thread.terminate();
  }
}
