import { createColumnExtractor } from "./column-extractor.ts";
import type { Extractor } from "./extractor.ts";
import { createFieldExtractor } from "./field-extractor.ts";
import type { KeyPlan } from "./key-plan.ts";
import { createPathExtractor } from "./path-extractor.ts";

/** The extractor of a plan; undefined where records are their own keys. */
export function createExtractor(plan: KeyPlan): Extractor | undefined {
  switch (plan.kind) {
    case "none":
      return undefined;
    case "fields":
      return createFieldExtractor(plan.delimiter, plan.keys, plan.reverse);
    case "columns":
      return createColumnExtractor(plan.separator, plan.keys);
    case "paths":
      return createPathExtractor(plan.keys);
  }
}
