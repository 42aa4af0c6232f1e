import type { Component } from "./component.ts";

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
  /** Stops it on dispose, and says so when it ends by itself before. */
  readonly own: (component: Component, seconds: number) => void;
  readonly pids: () => Record<string, number>;
  /** From here on, nobody is told of an end. */
  readonly expectEnds: () => void;
}

export function collectParts(onProgress: (line: string) => void): StartedParts {
  const list: StartedPart[] = [];
  const owned: Component[] = [];
  let endsAreExpected = false;

  return {
    list,
    add: (part) => void list.push(part),
    own(component, seconds) {
      const { name, version, source, address } = component;
      owned.push(component);
      list.push({ name, version, source, address, seconds });
      void component.exited?.then((how) => {
        if (!endsAreExpected) onProgress(`${name}: ended by itself (${how})`);
      });
    },
    pids: () =>
      Object.fromEntries(
        owned.flatMap(({ name, pid }) => (pid ? [[name, pid]] : [])),
      ),
    expectEnds: () => void (endsAreExpected = true),
    async [Symbol.asyncDispose]() {
      endsAreExpected = true;
      await Promise.all(owned.map((component) => component.stop()));
    },
  };
}
