import { enableCompileCache } from "node:module";

// Threads that find their code compiled take 15 MB less each.
enableCompileCache();
const { runSort } = await import("./run-sort.ts");

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => stop.abort());
}
process.exitCode = await runSort(process, process.argv.slice(2), stop.signal);
