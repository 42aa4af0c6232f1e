/**
 * An action of a limit: the address that calls. Of IPv6 its /64, which is what one customer of a provider has: told apart by
 * whole addresses, one caller would have 2^64 counts.
 */
export const CALLER_ADDRESS = {
  masked_remote_address: { v6_prefix_mask_len: 64 },
};
