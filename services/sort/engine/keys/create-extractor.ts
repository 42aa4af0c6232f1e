import type { Extractor } from "./extractor.ts";
import type { KeyPlan } from "./key-plan.ts";

/** The extractor of a plan; undefined where records are their own keys. */
export function createExtractor(plan: KeyPlan): Extractor | undefined {
  switch (plan.kind) {
    case "none":
      return undefined;
    case "fields":
    case "columns":
    case "paths":
      throw new Error("not yet");
  }
}
