import type { DomainError } from "../../../platform/runtime/errors.ts";
import { sortError } from "../sort-error.ts";

/** A disk, a quota, and a file that may grow no more. */
const codes: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** A system's error that says that there is no room for what is kept while a sort goes on; undefined where it says another thing. */
export function tempDiskFull(error: unknown): DomainError | undefined {
  const code = fullCode(error);
  return code === undefined
    ? undefined
    : sortError("TEMP_SPACE_SHORT", "the disk is full", {
        cause: error,
        metadata: { code },
      });
}

/** The same of a file that is put out. */
export function outputDiskFull(
  path: string,
  error: unknown,
): DomainError | undefined {
  const code = fullCode(error);
  return code === undefined
    ? undefined
    : sortError(
        "OUTPUT_SPACE_SHORT",
        `${path} cannot be written: its disk is full`,
        { cause: error, metadata: { output: path, code } },
      );
}

function fullCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && codes.has(error.code)
    ? String(error.code)
    : undefined;
}
