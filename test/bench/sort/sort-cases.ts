import type { DataKind } from "./make-data.ts";

/** A side-by-side: our flags and GNU's for the same result, and what the ratio of their times should be. */
export interface SortCase {
  readonly name: string;
  readonly data: DataKind;
  readonly ours: readonly string[];
  /** Undefined where GNU sort cannot do it. */
  readonly gnu: readonly string[] | undefined;
  readonly least: number;
  readonly aim: number;
  /** The output is compared byte for byte. */
  readonly isSame: boolean;
}

export const SORT_CASES: readonly SortCase[] = [
  sortCase("fixed", "fixed", ["--fixed=100,10"], ["-s", "-k1.1,1.10"], 2, 3.5),
  sortCase("text", "text", [], [], 2, 3),
  sortCase("numeric", "numbers", ["-n"], ["-n"], 5, 8),
  sortCase("presorted", "presorted", [], [], 1, 2),
  sortCase("duplicates", "duplicates", [], [], 1.5, 3),
  sortCase(
    "csv",
    "csv",
    ["--csv", "--key", "2"],
    ["-s", "-t,", "-k2,2"],
    1.5,
    2.5,
  ),
  sortCase(
    "fixed-typescript",
    "fixed",
    ["--fixed=100,10", "--kernel=typescript"],
    ["-s", "-k1.1,1.10"],
    1.4,
    2,
  ),
  sortCase("text-typescript", "text", ["--kernel=typescript"], [], 1.1, 1.4),
  {
    ...sortCase(
      "ndjson",
      "ndjson",
      ["--ndjson", "--key", "user.name"],
      [],
      1,
      1.5,
    ),
    gnu: undefined,
    isSame: false,
  },
];

function sortCase(
  name: string,
  data: DataKind,
  ours: readonly string[],
  gnu: readonly string[],
  least: number,
  aim: number,
): SortCase {
  return { name, data, ours, gnu, least, aim, isSame: true };
}
