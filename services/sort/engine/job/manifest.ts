import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
} from "node:fs";
import { join } from "node:path";
import type { SortedRun } from "../worker/tasks.ts";
import { writeAll } from "../worker/run-writer.ts";
import { tempDiskFull } from "./full-disk.ts";

/** What a job has done, one line each, in the order in which it was done. */
export type ManifestLine =
  | {
      readonly kind: "job";
      readonly version: 1;
      readonly spec: string;
      readonly inputs: readonly string[];
      readonly id: string;
    }
  | ManifestRun
  /** A stream's end: how many bytes it had. */
  | { readonly kind: "end"; readonly input: number; readonly size: number }
  /** A run that takes the place of others. */
  | {
      readonly kind: "merged";
      readonly run: ManifestRun;
      readonly replaces: readonly number[];
    }
  /** How the last merge is divided: for each part where it begins in each run and in the output. */
  | {
      readonly kind: "parts";
      readonly runs: readonly number[];
      readonly starts: readonly (readonly number[])[];
      readonly outStarts: readonly number[];
    }
  | {
      readonly kind: "part";
      readonly index: number;
      readonly bytes: number;
      readonly records: number;
      readonly crc: number;
      readonly hash: string;
    }
  /** The output is whole; only its name is missing. */
  | {
      readonly kind: "finished";
      readonly result: Readonly<Record<string, number | string>>;
    };

export interface ManifestRun extends SortedRun {
  readonly kind: "run";
  readonly id: number;
  readonly input: number;
  /** The part of the input whose records it holds. */
  readonly from: number;
  readonly to: number;
  /** Of a run that was made of others, what its blocks hold at most, but for longer records. */
  readonly blockBytes?: number;
}

/** The append-only record of a job. A line counts once it is on the disk; a torn last line does not. */
export interface Manifest extends Disposable {
  readonly lines: readonly ManifestLine[];
  append(line: ManifestLine): void;
}

/** Throws TEMP_SPACE_SHORT where there is no room for the folder. */
export function openManifest(folder: string): Manifest {
  try {
    return openIn(folder);
  } catch (error) {
    throw tempDiskFull(error) ?? error;
  }
}

function openIn(folder: string): Manifest {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "manifest.jsonl");
  const lines: ManifestLine[] = [];
  let length = 0;
  if (existsSync(path)) {
    const text = readFileSync(path, "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    length = Buffer.byteLength(whole);
    for (const line of whole.split("\n")) {
      // Only this module writes the file, and whole lines only.
      if (line !== "") lines.push(JSON.parse(line) as ManifestLine);
    }
  }
  const fd = openSync(path, "a");
  ftruncateSync(fd, length);
  return {
    lines,
    append(line) {
      writeAll(fd, Buffer.from(`${JSON.stringify(line)}\n`));
      fsyncSync(fd);
      lines.push(line);
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}
