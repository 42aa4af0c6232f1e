import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { z } from "zod";

const file = fileURLToPath(
  new URL("../../deploy/otel/alerts.yaml", import.meta.url),
);

const shape = z.strictObject({
  groups: z
    .array(
      z.strictObject({
        name: z.string(),
        rules: z
          .array(
            z.strictObject({
              alert: z.string().regex(/^Weft[A-Za-z]+$/),
              expr: z.string(),
              for: z
                .string()
                .regex(/^\d+[smh]$/)
                .optional(),
              labels: z.strictObject({
                severity: z.enum(["warning", "critical"]),
              }),
              annotations: z.strictObject({
                summary: z.string().min(20),
                action: z.string().min(20),
              }),
            }),
          )
          .min(1),
      }),
    )
    .min(1),
});

/** The alert rules, as Prometheus reads them. */
export function readAlertRules() {
  return shape
    .parse(parse(readFileSync(file, "utf8")))
    .groups.flatMap(({ rules }) => rules);
}

/** The metrics that an expression names, by Prometheus' own grammar; throws where it is none. */
export function metricsOf(expr: string): string[] {
  const names = new Set<string>();
  parser.parse(expr).iterate({
    enter({ type, name, from, to }) {
      if (type.isError) {
        throw new SyntaxError(`no PromQL at ${from}: ${expr}`);
      }
      if (name === "VectorSelector") {
        names.add(/^[\w:]+/.exec(expr.slice(from, to))?.[0] ?? "");
      }
    },
  });
  return [...names];
}
