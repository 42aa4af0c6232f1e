/** The id part of `files/{file}`. The contract has checked its form. */
export function fileId(name: string): string {
  return name.slice("files/".length);
}
