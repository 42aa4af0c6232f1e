import type { AnyDesc, DescFile } from "@bufbuild/protobuf";
import { getComments } from "@bufbuild/protoplugin";

/** The comment of an element of a contract, as Markdown; undefined where it has none. */
export function describe(
  element: Exclude<AnyDesc, DescFile>,
): string | undefined {
  const { leading } = getComments(element);
  return leading
    ?.split("\n")
    .map((line) => line.replace(/^ /, "").trimEnd())
    .join("\n")
    .trim();
}

/** The first sentence of a comment. */
export function summarize(text: string): string {
  return /^[\s\S]*?\.(?=\s|$)/.exec(text)?.[0].replaceAll("\n", " ") ?? text;
}
