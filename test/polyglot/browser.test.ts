import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium, type Browser } from "playwright-core";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { readLocalConfig } from "../../deploy/local/config.ts";
import {
  findProgram,
  installDebianPackage,
} from "../../deploy/local/tool-chains.ts";
import { openShop } from "../support/mesh-shop.ts";
import type { BrowserProtocol, Visit } from "./browser/page.ts";

const installTimeoutMs = 10 * 60_000;
const started = new AsyncDisposableStack();
let browser: Browser;
let pageUrl: string;

beforeAll(async () => {
  pageUrl = await servePage(await bundlePage());
  browser = await openBrowser();
}, installTimeoutMs);
afterAll(() => started.disposeAsync());

it.each<BrowserProtocol>(["Connect", "gRPC-Web"])(
  "a page in a browser orders, watches, and reads what an error says, over %s",
  async (protocol) => {
    const { edgeUrl, demoTokenFile } = inject("mesh");
    const token = readFileSync(demoTokenFile, "utf8").trim();
    using shop = await openShop("gRPC");
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(pageUrl);

    const visit: Visit = { protocol, edgeUrl, token, sku: shop.sku };
    const seen = await page.evaluate((it) => globalThis.weftVisit(it), visit);

    expect(seen).toEqual({
      last: "COMPLETED",
      reason: "INVALID_FIELD",
      fields: ["order.lines[0].quantity"],
    });
  },
);

it("shows the reference of the contracts to a browser", async () => {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });

  await page.goto(`${inject("mesh").edgeUrl}/docs`);
  await page.click('a[href="#weft.order.v1.OrderService.CreateOrder"]');

  expect(await page.title()).toBe("weft: contracts");
  expect(page.url()).toContain("#weft.order.v1.OrderService.CreateOrder");
});

async function bundlePage(): Promise<string> {
  await using bundle = await rolldown({
    input: "test/polyglot/browser/page.ts",
    platform: "browser",
  });
  const { output } = await bundle.generate({ format: "iife" });
  return output[0].code;
}

async function servePage(script: string): Promise<string> {
  const html = `<!doctype html><title>weft</title><script>${script.replaceAll("</script", "<\\/script")}</script>`;
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(html);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  started.defer(() => void server.close());
  // A server that listens on a TCP port has an AddressInfo.
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** Debian's Chromium, or the one that is there. */
async function openBrowser(): Promise<Browser> {
  const context = { cache: readLocalConfig().cacheDirectory };
  const executablePath =
    (await findProgram("chromium")) ??
    (await findProgram("google-chrome")) ??
    (await installDebianPackage(context, "a browser", "chromium", "chromium"));
  const opened = await chromium.launch({
    executablePath,
    // Root may not use the sandbox; nothing but the mesh is to be reached.
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  started.defer(() => opened.close());
  return opened;
}
