import type { Component } from "./component.ts";
import { keepRunning } from "./keep-running.ts";

export interface StartedPart {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly address: string;
  readonly seconds: number;
}

/** What a mesh has started, and the components it has to stop. */
export interface StartedParts extends AsyncDisposable {
  readonly list: readonly StartedPart[];
  readonly add: (part: StartedPart) => void;
  /** Stops it on dispose; one that dies before is started again, and it is told. */
  readonly own: (component: Component, seconds: number) => void;
  readonly pids: () => Record<string, number>;
  /** From here on, what ends is neither told nor started again. */
  readonly expectEnds: () => void;
}

export function collectParts(deps: {
  readonly onProgress: (line: string) => void;
  /** One of the pids is another, or none. */
  readonly onPids: () => void;
}): StartedParts {
  const list: StartedPart[] = [];
  const owned: Component[] = [];
  const kept: Promise<void>[] = [];
  const stopping = new AbortController();

  return {
    list,
    add: (part) => void list.push(part),
    own(component, seconds) {
      const { name, version, source, address } = component;
      owned.push(component);
      list.push({ name, version, source, address, seconds });
      if (component.revive) {
        const { signal } = stopping;
        kept.push(keepRunning({ ...deps, signal }, component));
      }
    },
    pids: () =>
      Object.fromEntries(
        owned.flatMap(({ name, pid }) => (pid ? [[name, pid]] : [])),
      ),
    expectEnds: () => stopping.abort(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(owned.map((component) => component.stop()));
      // A start that was under way stops what it had started.
      await Promise.all(kept);
    },
  };
}
