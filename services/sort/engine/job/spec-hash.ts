import { createHash } from "node:crypto";
import type { SortSpec } from "../sort-spec.ts";

/** What of a spec decides the output's bytes: a job goes on only with the same. */
export function specHash(spec: SortSpec): string {
  const { inputs, output, ...order } = spec;
  const plain = {
    ...order,
    inputs: inputs.map((input) =>
      input.kind === "file" ? input.path : input.name,
    ),
    output: [
      output.kind === "file" ? output.path : output.name,
      output.compression ?? "none",
    ],
  };
  return createHash("sha256").update(JSON.stringify(plain)).digest("hex");
}
