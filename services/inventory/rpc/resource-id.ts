/** The id part of a resource name: `products/blue-mug` -> `blue-mug`. The contract has checked its form. */
export function resourceId(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}
