/** The id in an order's name; contracts' rules have checked its shape. */
export function orderIdOf(name: string): string {
  return name.slice("orders/".length);
}
