import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readProviderConfig } from "./config.ts";
import { openJournal } from "./journal.ts";
import { apply, emptyState } from "./provider-state.ts";
import { startServer } from "./server.ts";

const config = readProviderConfig(process.env);
mkdirSync(config.dataDir, { recursive: true });
const state = emptyState();
const journal = await openJournal(
  join(config.dataDir, "journal.ndjson"),
  (entry) => apply(state, entry),
);
const server = await startServer(
  {
    journal,
    state,
    inFlight: new Set(),
    now: () => new Date(),
    lateMs: config.lateMs,
    reportError: (error) => console.error(error),
  },
  config,
);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    server.close(() => void journal[Symbol.asyncDispose]());
    server.closeAllConnections();
  });
}
const address = server.address();
const port = typeof address === "object" ? address?.port : undefined;
console.log(`payment provider listens on http://${config.host}:${port}`);
process.send?.("ready");
