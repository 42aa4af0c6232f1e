import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

// As long as `eventually` waits: the second that is vitest's own passes while a busy machine stands still.
const expect = { poll: { timeout: 15_000 } };

export default defineConfig({
  test: {
    root,
    // Tests load modules as Node itself does, so that what they prove holds for
    // the process that runs in production (and `import.meta.resolve` is there).
    experimental: { viteModuleRunner: false },
    projects: [
      {
        test: {
          name: "unit",
          root,
          expect,
          include: ["test/unit/**/*.test.ts"],
          environment: "node",
          // Some read the whole tree, or explore every interleaving: seconds, and more where others want the machine.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          root,
          expect,
          include: ["test/integration/**/*.test.ts"],
          environment: "node",
          globalSetup: ["test/support/global-setup.ts"],
          // One Postgres and one Kafka serve all files of a run: a few at once is what two cores carry.
          maxWorkers: 2,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          root,
          expect,
          include: ["test/e2e/**/*.test.ts", "test/polyglot/**/*.test.ts"],
          environment: "node",
          globalSetup: ["test/support/e2e-setup.ts"],
          // Tests of all kinds of clients run beside each other: most of their time is waiting.
          maxConcurrency: 16,
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
