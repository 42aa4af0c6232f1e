import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/**
 * Which room of the house may import which. A service never imports another, the platform never imports a service, and
 * inside a service the rooms depend inwards; `engine` is a service's own machinery, which knows none of them. `own` is a service's root: config.ts, service.ts, main.ts.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  // What a sort is ordered by is said in the engine's own words.
  domain: ["domain", "engine/sort-spec.ts", "platform/runtime/errors.ts"],
  store: ["store", "domain", "platform"],
  clients: ["clients", "domain", "gen", "platform"],
  app: ["app", "domain", "store", "clients", "engine", "platform"],
  engine: ["engine", "platform/runtime/errors.ts"],
  cli: ["cli", "engine", "platform/runtime/errors.ts"],
  // A process of its own, for one job.
  worker: ["worker", "domain", "engine", "platform/runtime/errors.ts"],
  rpc: ["rpc", "app", "domain", "gen", "platform"],
  events: ["events", "app", "domain", "gen", "platform"],
  own: [
    "own",
    "domain",
    "store",
    "clients",
    "app",
    "rpc",
    "events",
    "engine",
    "platform",
  ],
};

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Import {
  readonly file: string;
  readonly target: string;
}

test("every import of a service follows the house rule", () => {
  const imports = importsBelow("services").filter(
    ({ file }) => !file.startsWith("services/platform/"),
  );

  const broken = imports.filter(({ file, target }) => !isAllowed(file, target));

  expect(imports.length).toBeGreaterThan(100);
  expect(broken).toEqual([]);
});

test("the platform imports nothing but itself, generated code and packages", () => {
  const imports = importsBelow("services/platform");

  const broken = imports.filter(
    ({ target }) =>
      !target.startsWith("services/platform/") && !target.startsWith("gen/"),
  );

  expect(imports.length).toBeGreaterThan(100);
  expect(broken).toEqual([]);
});

test("generated code imports nothing of ours", () => {
  const broken = importsBelow("gen").filter(
    ({ target }) => !target.startsWith("gen/"),
  );

  expect(broken).toEqual([]);
});

test("the rule refuses what it should", () => {
  expect(
    isAllowed("services/order/app/a.ts", "services/inventory/app/b.ts"),
  ).toBe(false);
  expect(isAllowed("services/order/domain/a.ts", "gen/ts/b.ts")).toBe(false);
  expect(
    isAllowed("services/order/domain/a.ts", "services/platform/rpc/b.ts"),
  ).toBe(false);
  expect(
    isAllowed("services/order/rpc/a.ts", "services/order/store/b.ts"),
  ).toBe(false);
});

function isAllowed(file: string, target: string): boolean {
  const [, service, ...rest] = file.split("/");
  const room = rest.length > 1 ? (rest[0] ?? "") : "own";
  const place = placeOf(target, service ?? "");
  return (mayImport[room] ?? []).some(
    (allowed) => place === allowed || place.startsWith(`${allowed}/`),
  );
}

/** Where an import leads, in the words of the table; what no room may import stays as it is. */
function placeOf(target: string, service: string): string {
  if (target.startsWith("services/platform/")) {
    return target.slice("services/".length);
  }
  const inOwnService = `services/${service}/`;
  if (!target.startsWith(inOwnService)) {
    return target;
  }
  const inside = target.slice(inOwnService.length);
  return inside.includes("/") ? inside : `own/${inside}`;
}

function importsBelow(folder: string): Import[] {
  return globSync(`${folder}/**/*.ts`, { cwd: root }).flatMap((file) =>
    importedBy(readFileSync(join(root, file), "utf8"))
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => ({
        file,
        target: relative(root, join(root, dirname(file), specifier)),
      })),
  );
}

function importedBy(source: string): string[] {
  const statements =
    /^(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;
  return [...source.matchAll(statements)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? "",
  );
}
