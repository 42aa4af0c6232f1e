import type { AnyDesc, DescFile } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { getComments } from "@bufbuild/protoplugin";

/** Names every service, method, message, field, enum and value that has no leading comment. */
export function findCommentFaults(files: readonly DescFile[]): string[] {
  return files
    .flatMap(documentedElements)
    .filter((element) => getComments(element).leading === undefined)
    .map((element) => `${String(element)} has no leading comment`);
}

type Element = Exclude<AnyDesc, DescFile>;

function documentedElements(file: DescFile): Element[] {
  return [...nestedTypes(file)].flatMap((element): Element[] => {
    switch (element.kind) {
      case "service":
        return [element, ...element.methods];
      case "message":
        return [element, ...element.fields];
      case "enum":
        return [element, ...element.values];
      default:
        return [];
    }
  });
}
