import { context, createContextKey, type Context } from "@opentelemetry/api";

/** Carries a request's id: the edge makes one, or takes the client's, and answers with it. */
export const requestIdHeader = "x-request-id";

const key = createContextKey("weft.request-id");
/** It goes into logs; a peer that sends anything else is not believed. */
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The context with a request's id, for all that is done and asked of others in it. What is no UUID leaves it as it was. */
export function withRequestId(
  parent: Context,
  id: string | undefined,
): Context {
  return id !== undefined && uuid.test(id) ? parent.setValue(key, id) : parent;
}

/** The id of the request that is being served, if it has one. */
export function requestId(of: Context = context.active()): string | undefined {
  // withRequestId sets nothing else.
  return of.getValue(key) as string | undefined;
}
