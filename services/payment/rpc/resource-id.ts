/** The id part of a resource name: `payments/0190...` -> `0190...`. The contract has checked its form. */
export function resourceId(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}
