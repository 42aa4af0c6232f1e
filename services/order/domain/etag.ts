/** The etag of an order, quoted as HTTP has it (RFC 9110, AIP-154): its version. */
export function etagOf(order: { readonly version: bigint }): string {
  return `"${order.version}"`;
}
