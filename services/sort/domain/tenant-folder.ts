import { createHash } from "node:crypto";

/** A file's name may have 255 bytes. */
const maxLength = 200;

/**
 * The name of a tenant's own part of a folder. Whatever the tenant is called, it is one plain name, and no other tenant's:
 * all bytes but a to z, 0 to 9 and - are written `%xx`, so that capitals differ where a file system knows no case. A name
 * that is too long then is `%-` and its SHA-256.
 */
export function tenantFolder(tenant: string): string {
  if (tenant === "") throw new Error("nobody's folder was asked for");
  const bytes = Buffer.from(tenant);
  const name = bytes.toString("latin1").replace(/[^a-z0-9-]/g, escaped);
  if (name.length <= maxLength) return name;
  return `%-${createHash("sha256").update(bytes).digest("hex")}`;
}

function escaped(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
