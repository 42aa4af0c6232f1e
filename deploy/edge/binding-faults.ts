import type { DescMessage, DescMethod, Registry } from "@bufbuild/protobuf";
import { readRestBindings } from "./http-rule.ts";
import {
  parsePathTemplate,
  pathsOverlap,
  type PathTemplate,
} from "./path-template.ts";
import type { RestBinding } from "./route-table.ts";

interface Bound {
  readonly method: DescMethod;
  readonly binding: RestBinding;
  readonly template: PathTemplate;
}

/** Names REST bindings that are malformed, name a field that is not there, or answer to a path that another one answers to. */
export function findBindingFaults(
  methods: readonly DescMethod[],
  registry: Registry,
): string[] {
  const faults: string[] = [];
  const bound: Bound[] = [];
  for (const method of methods) {
    for (const binding of readRestBindings(method, registry)) {
      try {
        const template = parsePathTemplate(binding.pattern);
        bound.push({ method, binding, template });
      } catch (error) {
        faults.push(
          `${String(method)}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
  }
  return [
    ...faults,
    ...bound.flatMap(findFieldFaults),
    ...bound.flatMap(findOverlaps),
  ];
}

function findFieldFaults({ method, binding, template }: Bound): string[] {
  const wanted = [
    ...template.variables.map((path) => ({ message: method.input, path })),
    ...fieldOf(method.input, binding.body),
  ];
  const faults = wanted
    .filter(({ message, path }) => !hasField(message, path))
    .map(
      ({ message, path }) =>
        `names the field "${path}", which ${message.typeName} does not have`,
    );
  // The edge cuts the field out of the printed message, so there can be no other.
  const only =
    method.output.fields.length === 1 ? method.output.fields[0] : undefined;
  if (
    binding.responseBody !== undefined &&
    only?.jsonName !== binding.responseBody
  ) {
    faults.push(
      `has a response_body that is not the only field of ${method.output.typeName}`,
    );
  }
  return faults.map(
    (fault) => `${String(method)}: "${binding.pattern}" ${fault}`,
  );
}

function fieldOf(message: DescMessage, name: string | undefined) {
  return name === undefined || name === "*" ? [] : [{ message, path: name }];
}

function hasField(message: DescMessage | undefined, path: string): boolean {
  const [name, ...rest] = path.split(".");
  const field = message?.fields.find((candidate) => candidate.name === name);
  if (field === undefined) return false;
  return rest.length === 0 || hasField(field.message, rest.join("."));
}

function findOverlaps(one: Bound, index: number, all: Bound[]): string[] {
  return all
    .slice(index + 1)
    .filter((other) => other.binding.verb === one.binding.verb)
    .filter((other) => pathsOverlap(one.template, other.template))
    .map(
      (other) =>
        `${String(other.method)}: ${other.binding.verb} ${other.binding.pattern} answers to paths of ` +
        `${one.binding.verb} ${one.binding.pattern} of ${String(one.method)}`,
    );
}
