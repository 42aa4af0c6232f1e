import { hash } from "node:crypto";
import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Logger } from "../../platform/runtime/logger.ts";
import type { RuleSet } from "../domain/rule.ts";
import { parseRulesApart } from "./parse-rules-apart.ts";
import { parseRules, RulesError } from "./parse-rules.ts";
import type { RateClasses } from "./rate-classes.ts";

/** Editors write in several steps, and a mounted ConfigMap changes by renaming a folder: what counts is the last of a burst. */
const SETTLE_MS = 50;
/** File systems without notifications are read again after so long. */
const POLL_MS = 10_000;

/** The rules in force, and where they come from. */
export interface LoadedRules {
  readonly rules: RuleSet;
  readonly text: string;
  /** The first 16 characters of the text's SHA-256. */
  readonly version: string;
  readonly loadedAt: Date;
}

export interface WatchedRules extends Disposable {
  readonly current: () => LoadedRules;
  /** What is wrong with the file as it lies there now, if it was refused. */
  readonly fault: () => string | undefined;
  /** How many times a changed file was refused. */
  readonly refused: () => number;
}

/**
 * Reads the file of rules and again whenever it changes. A file that can't be used is told to the log and leaves the last
 * good one in force.
 *
 * @throws RulesError where the first one can't be used.
 */
export async function watchRules(
  deps: {
    readonly logger: Logger;
    readonly file: string;
    readonly classes: RateClasses;
    readonly now: () => Date;
  },
  onChange: (loaded: LoadedRules) => void,
): Promise<WatchedRules> {
  let current = await load();
  let fault: string | undefined;
  let refused = 0;
  let timer: NodeJS.Timeout | undefined;
  let lastRefused = "";
  const stop = new AbortController();

  async function load(): Promise<LoadedRules> {
    const text = await readFile(deps.file, "utf8");
    const version = versionOf(text);
    const rules = parseRules(text, deps.classes);
    return { rules, text, version, loadedAt: deps.now() };
  }

  // The file may change while it is read; what is read last has to be what lies there.
  const reload = onlyOnce(async () => {
    try {
      const text = await readFile(deps.file, "utf8");
      const version = versionOf(text);
      if (version === current.version) {
        fault = undefined;
        lastRefused = "";
        return;
      }
      if (version === lastRefused) return;
      lastRefused = version;
      const { classes } = deps;
      const rules = await parseRulesApart(text, classes, stop.signal);
      // Keys begin with it: under another one every count would begin anew without a word.
      if (rules.domain !== current.rules.domain)
        throw new RulesError("domain can't change while the service runs");
      current = { rules, text, version, loadedAt: deps.now() };
      fault = undefined;
      lastRefused = "";
      onChange(current);
      deps.logger.info({ version }, "new rules are in force");
    } catch (error) {
      if (stop.signal.aborted) return;
      // What is no fault of the file's may be over the next time.
      if (!(error instanceof RulesError)) lastRefused = "";
      fault = error instanceof Error ? error.message : String(error);
      refused += 1;
      const faults = error instanceof RulesError ? fault.split("\n") : fault;
      const inForce = current.version;
      deps.logger.error({ faults, inForce }, "the changed rules are refused");
    }
  });

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), SETTLE_MS);
  };
  // The folder is watched, not the file: a file that is replaced is another one.
  const watcher = watch(dirname(deps.file), (_event, name) => {
    if (name === null || name === basename(deps.file) || name.startsWith(".."))
      soon();
  });
  watcher.on("error", (error) =>
    deps.logger.warn({ err: error }, "the rules are no longer watched"),
  );
  const poll = setInterval(() => void reload(), POLL_MS).unref();

  return {
    current: () => current,
    fault: () => fault,
    refused: () => refused,
    [Symbol.dispose]() {
      stop.abort();
      watcher.close();
      clearInterval(poll);
      clearTimeout(timer);
    },
  };
}

/** Work of which one is under way at most, and of all that is asked for meanwhile one more follows. */
function onlyOnce(work: () => Promise<void>): () => Promise<void> {
  let [running, again] = [false, false];
  return async () => {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      await work();
    }
    running = false;
  };
}

function versionOf(text: string): string {
  return hash("sha256", text).slice(0, 16);
}
