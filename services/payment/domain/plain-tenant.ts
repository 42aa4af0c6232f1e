import { createHash } from "node:crypto";

/**
 * The tenant's name where a header and a quoted search term take it, else its
 * hash: longer than any name may be (63), so it is nobody else's name.
 */
export function plainTenant(tenant: string): string {
  return /^[A-Za-z0-9_.-]{1,63}$/.test(tenant)
    ? tenant
    : createHash("sha256").update(tenant).digest("hex");
}
