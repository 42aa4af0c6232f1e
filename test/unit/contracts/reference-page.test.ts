import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { docsPlugin } from "../../../deploy/docs/docs-plugin.ts";
import { readRouteTable } from "../../../deploy/edge/route-table.ts";
import { runPlugin } from "../edge/run-plugin.ts";

const page = readFileSync("gen/docs/index.html", "utf8");

it("has every method of every service, and every link leads somewhere", () => {
  const table = readRouteTable(
    new URL("../../../gen/edge/routes.json", import.meta.url),
  );
  const ids = new Set([...page.matchAll(/id="([^"]+)"/g)].map(([, id]) => id));
  const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);

  for (const { name, methods } of table.services) {
    for (const method of methods) {
      expect(ids).toContain(`${name}.${method.name}`);
    }
  }
  expect(links.length).toBeGreaterThan(100);
  expect(links.filter((id) => !ids.has(id))).toEqual([]);
});

it("runs no script and takes nothing from elsewhere", () => {
  expect(page).not.toMatch(/<script|src=|https?:\/\//);
});

it("escapes what a comment says", () => {
  const { files } = runPlugin(
    "// Breaks <b>out</b> & \\`a<b\\`.\nmessage Rude {\n}\n".replaceAll(
      "\\",
      "",
    ),
    docsPlugin,
  );

  expect(files["index.html"]).toContain(
    "Breaks &lt;b&gt;out&lt;/b&gt; &amp; <code>a&lt;b</code>.",
  );
});
