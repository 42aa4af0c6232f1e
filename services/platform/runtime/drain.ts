import type { Logger } from "./logger.ts";

/** One step of a drain. It should end soon after `signal` aborts: the bound is near. */
export type DrainHook = (signal: AbortSignal) => Promise<void>;

/** The orderly end of a process. */
export interface Drain {
  /** Aborts when the drain begins. */
  readonly signal: AbortSignal;
  add(name: string, hook: DrainHook): void;
  /** Begins the drain; a second call changes nothing. */
  start(reason: string, exitCode: number): void;
}

export interface DrainDeps {
  readonly logger: Logger;
  /** The longest the whole drain may take, in milliseconds. After that the process ends as it is. */
  readonly boundMs: number;
  readonly exit: (code: number) => void;
}

/**
 * Makes the drain of a process. Its steps run one after another, the last added first, so that what was started on top
 * of something stops before it: servers before consumers, consumers before the pool. A failing step is logged and does
 * not stop the others.
 */
export function createDrain(deps: DrainDeps): Drain {
  const begin = new AbortController();
  const hooks: { name: string; hook: DrainHook }[] = [];

  async function drain(reason: string, exitCode: number): Promise<void> {
    const startedAt = performance.now();
    deps.logger.info({ reason }, "draining");
    const bound = setTimeout(() => {
      deps.logger.error({ boundMs: deps.boundMs }, "drain took too long");
      deps.exit(1);
    }, deps.boundMs);
    // Steps are told to hurry at nine tenths of the bound.
    const hurry = AbortSignal.timeout(deps.boundMs * 0.9);
    let failed = false;
    for (const { name, hook } of hooks.toReversed()) {
      try {
        await hook(hurry);
      } catch (error) {
        failed = true;
        deps.logger.error({ err: error, step: name }, "a drain step failed");
      }
    }
    clearTimeout(bound);
    const tookMs = Math.round(performance.now() - startedAt);
    deps.logger.info({ tookMs }, "drained");
    deps.exit(failed ? 1 : exitCode);
  }

  return {
    signal: begin.signal,
    add: (name, hook) => void hooks.push({ name, hook }),
    start(reason, exitCode) {
      if (begin.signal.aborted) {
        return;
      }
      begin.abort();
      void drain(reason, exitCode);
    },
  };
}
