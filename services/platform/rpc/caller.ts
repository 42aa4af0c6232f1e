import { createContextKey, type HandlerContext } from "@connectrpc/connect";

/** Who makes a call, as far as this process believes it. */
export interface Caller {
  /** The mesh peer that the connection belongs to, by mTLS: `edge`, or a service's name. */
  readonly peer: string;
  /** The tenant whose data the call may touch. */
  readonly tenant: string;
  /** The user or client that the call is made for; the peer's own name where it acts by itself. */
  readonly subject: string;
  readonly scopes: ReadonlySet<string>;
}

/** The name of the peer in a HandlerContext's values, put there by the mount that took the connection. */
export const peerKey = createContextKey<string | undefined>(undefined, {
  description: "weft: mTLS peer",
});

/** The verified caller in a HandlerContext's values, put there by the middleware. */
export const callerKey = createContextKey<Caller | undefined>(undefined, {
  description: "weft: caller",
});

/** Returns who makes the call that a handler serves. */
export function callerOf(context: HandlerContext): Caller {
  const caller = context.values.get(callerKey);
  if (!caller) {
    throw new Error("The handler is mounted without the platform's middleware");
  }
  return caller;
}
