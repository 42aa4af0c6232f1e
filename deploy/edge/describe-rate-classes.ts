import type { DescFile, DescMethod, Registry } from "@bufbuild/protobuf";
import { readPolicy } from "./method-policy.ts";

export interface RateClass {
  readonly name: string;
  readonly methods: readonly {
    readonly path: string;
    readonly stream: DescMethod["methodKind"];
  }[];
}

/**
 * The rate classes of the methods that the edge lets in, with those methods: what the rate-limit service holds its numbers
 * against. Methods for services only never pass the edge, so their class needs no numbers.
 */
export function describeRateClasses(
  files: readonly DescFile[],
  registry: Registry,
): RateClass[] {
  const methods = files
    .flatMap((file) => file.services)
    .flatMap((service) => service.methods);
  const byClass = new Map<string, DescMethod[]>();
  for (const method of methods) {
    const policy = readPolicy(method, registry);
    if (policy === undefined || policy.access === "ACCESS_SERVICE") continue;
    const others = byClass.get(policy.rateClass) ?? [];
    byClass.set(policy.rateClass, [...others, method]);
  }
  return [...byClass]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, those]) => ({
      name,
      methods: those.map((method) => ({
        path: `/${method.parent.typeName}/${method.name}`,
        stream: method.methodKind,
      })),
    }));
}
