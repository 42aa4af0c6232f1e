import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseRules } from "../../../services/ratelimit/app/parse-rules.ts";
import { parseRateClasses } from "../../../services/ratelimit/app/rate-classes.ts";

it("has numbers in deploy/rate-limits.yaml for every rate class of the contracts", () => {
  const classes = parseRateClasses(
    readFileSync("gen/edge/rate-classes.json", "utf8"),
  );
  const text = readFileSync("deploy/rate-limits.yaml", "utf8");

  const rules = parseRules(text, classes);

  expect([...rules.rulesByClass.keys()].toSorted()).toEqual(
    classes.map(({ name }) => name),
  );
});
