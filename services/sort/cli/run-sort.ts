import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DomainError } from "../../platform/runtime/errors.ts";
import { checkOrder } from "../engine/check-order.ts";
import { sortFile } from "../engine/sort-file.ts";
import type { SortOptions } from "../engine/sort-options.ts";
import type { SortInput } from "../engine/sort-spec.ts";
import { HELP } from "./help.ts";
import { openOutput } from "./open-output.ts";
import { parseSortArgs, type SortArgs } from "./parse-args.ts";
import { openProgressBar } from "./progress-bar.ts";
import { UsageError } from "./usage-error.ts";

/** What scripts can rely on. Where nobody reads on, it is what a shell shows of a program that SIGPIPE ended, as it ends GNU sort. */
export const EXIT = {
  done: 0,
  notSorted: 1,
  failed: 2,
  brokenPipe: 141,
} as const;

const DEFAULT_MEMORY = 512 << 20;

export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Runs the command line; returns its exit code. */
export async function runSort(
  terminal: Terminal,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  // Whoever writes hears of it: without a listener it would end the process before anything is cleaned up.
  terminal.stdout.on("error", () => {});
  terminal.stderr.on("error", () => {});
  try {
    const args = parseSortArgs(argv);
    switch (args.mode) {
      case "help":
      case "version":
        terminal.stdout.write(HELP);
        return EXIT.done;
      case "check":
      case "check-quietly":
        return await check(terminal, args, signal);
      case "sort":
        await sort(terminal, args, signal);
        return EXIT.done;
    }
  } catch (error) {
    if (isBrokenPipe(error)) return EXIT.brokenPipe;
    terminal.stderr.write(`${messageOf(error)}\n`);
    return EXIT.failed;
  }
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

function messageOf(error: unknown): string {
  if (error instanceof UsageError) return `sort: USAGE: ${error.message}`;
  if (error instanceof DomainError) {
    return `sort: ${error.reason}: ${error.message}`;
  }
  return `sort: INTERNAL: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

async function sort(
  terminal: Terminal,
  args: SortArgs,
  signal: AbortSignal,
): Promise<void> {
  const { options } = args;
  using folder = jobFolder(args);
  await using place = await openOutput(terminal.stdout, args, signal);
  const isShown =
    args.progress ?? (terminal.stderr.isTTY && args.output !== undefined);
  using bar = isShown ? openProgressBar(terminal.stderr) : undefined;
  await sortFile(
    {
      ...args.spec,
      inputs: inputsOf(terminal, args),
      output: place.output,
    },
    {
      ...baseOptions(args, signal),
      ...options,
      jobFolder: folder.path,
      // A folder with a name that was made just now is nobody else's.
      isFolderGuarded: options.jobFolder === undefined,
      discardOnFailure: options.jobFolder === undefined,
      ...(bar ? { onProgress: (progress) => bar.show(progress) } : {}),
    },
  );
}

function baseOptions(args: SortArgs, signal: AbortSignal) {
  const bytes = args.memoryBytes ?? DEFAULT_MEMORY;
  return {
    memory: { bytes, counts: "process" },
    signal,
  } satisfies Partial<SortOptions>;
}

/** A named folder stays until the sort has succeeded; without one, nothing stays. */
function jobFolder({ options, tempFolder }: SortArgs): Disposable & {
  readonly path: string;
} {
  if (options.jobFolder !== undefined) {
    return { path: options.jobFolder, [Symbol.dispose]() {} };
  }
  const parent = tempFolder ?? tmpdir();
  if (!existsSync(parent)) mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, "weft-sort-"));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

function inputsOf({ stdin }: Terminal, args: SortArgs): SortInput[] {
  const compression = args.inputCompression ?? "auto";
  const readStdin = (signal: AbortSignal) => {
    // Whoever has it open and says nothing would keep the process from its end.
    signal.addEventListener("abort", () => stdin.destroy(), { once: true });
    return stdin;
  };
  return args.inputs.map((path) =>
    path === "-"
      ? { kind: "stream", name: "-", open: readStdin, compression }
      : { kind: "file", path, compression },
  );
}

async function check(
  terminal: Terminal,
  args: SortArgs,
  signal: AbortSignal,
): Promise<number> {
  const { disorder } = await checkOrder(
    { ...args.spec, inputs: inputsOf(terminal, args) },
    { ...baseOptions(args, signal), ...args.options },
  );
  if (!disorder) return EXIT.done;
  if (args.mode === "check") {
    const text = Buffer.from(disorder.text).toString("utf8").trimEnd();
    const place = `${args.inputs.join(" ")}:${disorder.record + 1}`;
    terminal.stderr.write(`sort: ${place}: disorder: ${text}\n`);
  }
  return EXIT.notSorted;
}
