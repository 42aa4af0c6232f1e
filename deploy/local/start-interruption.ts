const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Ctrl-C reaches this process from the terminal and, forwarded, from npm: those two are one. */
const SAME_KEYSTROKE_MS = 500;
const EXIT_KILLED = 130;

export interface Interruption extends Disposable {
  /** Aborted at the first Ctrl-C. */
  readonly signal: AbortSignal;
  readonly happened: Promise<void>;
  /** What to do at the second, before this process exits. */
  readonly onSecond: (kill: () => void) => void;
}

/** Listens for Ctrl-C, SIGTERM and a closed terminal. */
export function interruption(say: (line: string) => void): Interruption {
  const first = new AbortController();
  let firstAt = 0;
  let kill: () => void = () => undefined;

  const onSignal = (signal: NodeJS.Signals) => {
    if (!first.signal.aborted) {
      firstAt = performance.now();
      say(`${signal}: stopping`);
      first.abort(new Error(`interrupted by ${signal}`));
      return;
    }
    if (performance.now() - firstAt < SAME_KEYSTROKE_MS) return;
    say(`${signal} again: killing what is left`);
    kill();
    process.exit(EXIT_KILLED);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);

  return {
    signal: first.signal,
    happened: new Promise((resolve) =>
      first.signal.addEventListener("abort", () => resolve()),
    ),
    onSecond: (then) => void (kill = then),
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
