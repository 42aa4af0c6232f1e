import { expect, test } from "vitest";
import { tenantFolder } from "../../../services/sort/domain/tenant-folder.ts";

test.each([
  ["acme", "acme"],
  ["acme-2", "acme-2"],
  ["Acme", "%41cme"],
  ["a%41", "a%2541"],
  [".", "%2e"],
  ["..", "%2e%2e"],
  ["../other", "%2e%2e%2fother"],
  ["ä\n\0", "%c3%a4%0a%00"],
])("names the folder of the tenant %j %s", (tenant, folder) => {
  expect(tenantFolder(tenant)).toBe(folder);
});

test("gives tenants with long names folders of their own, with names that a file system takes", () => {
  const names = ["x", "y"].map((last) => tenantFolder("Ä".repeat(62) + last));

  expect(new Set(names).size).toBe(2);
  for (const name of names) expect(name).toMatch(/^%-[0-9a-f]{64}$/);
});

test("has no folder for nobody", () => {
  expect(() => tenantFolder("")).toThrow("nobody");
});
