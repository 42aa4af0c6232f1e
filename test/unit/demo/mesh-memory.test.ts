import { expect, it, vi } from "vitest";
import { measureMemory } from "../../../deploy/local/mesh-memory.ts";
import type { Mesh } from "../../../deploy/local/mesh-handle.ts";
import { describeParts } from "../../../deploy/local/start-text.ts";

it("measures where there is no ps, or says that it can't", async () => {
  vi.stubEnv("PATH", "/nowhere");

  const memory = await measureMemory({ start: process.pid });
  vi.unstubAllEnvs();

  if (process.platform === "linux") {
    expect(memory.byName["start"]).toBeGreaterThan(10);
    expect(memory.totalMegabytes).toBeGreaterThan(10);
  } else {
    expect(memory).toEqual({ byName: {}, totalMegabytes: undefined });
  }
});

it("shows a line for memory that nobody tells of", () => {
  const part = { name: "redis", version: "7", source: "local" };
  // The text reads these two.
  const mesh = {
    parts: [{ ...part, address: "127.0.0.1:1", seconds: 1 }],
    issuer: undefined,
  } as Partial<Mesh> as Mesh;

  const text = describeParts(mesh, { byName: {}, totalMegabytes: undefined });

  expect(text).toMatch(/redis .* 1\.0 s +- +127/);
  expect(text).toContain("memory, idle: - in all");
  expect(text).toContain("(npm start itself: -)");
});
