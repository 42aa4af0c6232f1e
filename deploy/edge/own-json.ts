import type { DescMessage } from "@bufbuild/protobuf";

/** Whether its JSON is no object of its fields: a timestamp is a text, a struct anything, a body of HTTP no JSON at all. */
export function hasOwnJson({ typeName }: DescMessage): boolean {
  return (
    typeName.startsWith("google.protobuf.") ||
    typeName === "google.api.HttpBody"
  );
}
