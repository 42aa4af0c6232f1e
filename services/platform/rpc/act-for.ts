import type { CallOptions } from "@connectrpc/connect";
import { identityHeaders } from "./authorize.ts";

/**
 * The identity that a call outside of any request acts for, such as the next step of an order that was placed an hour
 * ago. Inside a request the transport passes on the caller's by itself.
 */
export function actFor(identity: {
  readonly tenant: string;
  readonly subject: string;
}): CallOptions & { headers: Record<string, string> } {
  return {
    headers: {
      [identityHeaders.tenant]: identity.tenant,
      [identityHeaders.subject]: identity.subject,
    },
  };
}
