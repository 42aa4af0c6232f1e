import { mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { format, resolveConfig } from "prettier";

/** What a figure was measured on; without it no figure means anything. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${model}, ${availableParallelism()} cores, ${gigabytes} GB, Node ${process.version}`;
}

/** An area's result as it was saved last; empty where none was. */
export async function savedResult(area: string): Promise<object> {
  const file = new URL(`./results/${area}.json`, import.meta.url);
  const text = await readFile(file, "utf8").catch(() => "{}");
  const saved: unknown = JSON.parse(text);
  return typeof saved === "object" && saved !== null ? saved : {};
}

/** Writes an area's result as `test/bench/results/<area>.json`, and returns the file. */
export async function saveResult(area: string, result: object): Promise<URL> {
  const folder = new URL("./results/", import.meta.url);
  const file = new URL(`${area}.json`, folder);
  const whole = {
    ...result,
    area,
    machine: machineLine(),
    measuredAt: new Date().toISOString(),
  };
  await mkdir(folder, { recursive: true });
  const options = await resolveConfig(file);
  const text = JSON.stringify(whole);
  await writeFile(file, await format(text, { ...options, parser: "json" }));
  return file;
}
