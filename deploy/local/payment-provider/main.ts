import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readProviderConfig } from "./config.ts";
import { openJournal, type JournalEntry } from "./journal.ts";
import { apply, emptyState } from "./provider-state.ts";
import { startServer } from "./server.ts";
import { openWebhooks } from "./webhooks.ts";

const config = readProviderConfig(process.env);
mkdirSync(config.dataDir, { recursive: true });
const state = emptyState();
const history: JournalEntry[] = [];
const journal = await openJournal(
  join(config.dataDir, "journal.ndjson"),
  (entry) => {
    apply(state, entry);
    history.push(entry);
  },
);
const stop = new AbortController();
const now = () => new Date();
const webhooks = await openWebhooks(
  {
    directory: config.dataDir,
    caFile: config.webhookCaFile,
    now,
    stop: stop.signal,
  },
  history,
);
history.length = 0;
const server = await startServer(
  {
    journal,
    state,
    inFlight: new Set(),
    now,
    webhooks,
    lateMs: config.lateMs,
    reportError: (error) => console.error(error),
  },
  config,
);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    stop.abort();
    server.close(() => void journal[Symbol.asyncDispose]());
    server.closeAllConnections();
  });
}
const address = server.address();
const port = typeof address === "object" ? address?.port : undefined;
console.log(`payment provider listens on http://${config.host}:${port}`);
process.send?.("ready");
