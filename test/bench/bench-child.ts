import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** A process of a measurement that is asked one thing at a time. */
export interface BenchChild extends AsyncDisposable {
  readonly pid: number;
  ask(question: object, deadlineMs?: number): Promise<unknown>;
}

/**
 * Starts a module as a process of its own, so that its CPU is counted apart. `options` reach it as one JSON argument.
 * `BENCH_NODE_ARGS` is handed to Node, such as `--cpu-prof`.
 */
export async function startBenchChild(
  module: URL,
  options: object,
  execArgv: readonly string[] = [],
): Promise<BenchChild> {
  const child = fork(module, [JSON.stringify(options)], {
    execArgv: [...execArgv],
    serialization: "advanced",
  });
  await nextAnswer(child, 30_000);
  return {
    // A child that has answered has a pid.
    pid: child.pid as number,
    async ask(question, deadlineMs = 60_000) {
      const answer = nextAnswer(child, deadlineMs);
      child.send(question);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      const gone = once(child, "exit");
      child.disconnect();
      const kill = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await gone;
      clearTimeout(kill);
    },
  };
}

/** The child's side: says that it is ready, answers each question in turn, and ends with its parent. */
export function serveQuestions(
  answer: (question: unknown) => Promise<unknown>,
): void {
  // `send` is there in a forked process.
  const send = (message: unknown) => process.send?.(message);
  process.on("message", (question) => {
    answer(question).then(
      (value) => send({ value }),
      (error: unknown) => send({ error: String(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
  send({ value: "ready" });
}

async function nextAnswer(
  child: ChildProcess,
  deadlineMs: number,
): Promise<unknown> {
  const ended = new AbortController();
  const onExit = (code: number | null) =>
    ended.abort(new Error(`the child ended with code ${code}`));
  child.once("exit", onExit);
  const signal = AbortSignal.any([
    ended.signal,
    AbortSignal.timeout(deadlineMs),
  ]);
  try {
    // serveQuestions sends nothing else.
    const [message] = (await once(child, "message", { signal })) as [
      { value?: unknown; error?: string },
    ];
    if (message.error !== undefined) throw new Error(message.error);
    return message.value;
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error;
  } finally {
    child.off("exit", onExit);
  }
}
