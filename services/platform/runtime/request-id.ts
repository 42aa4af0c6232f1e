import { context, createContextKey, type Context } from "@opentelemetry/api";
import { isUuid } from "./ids.ts";

/** Carries a request's id: the edge makes one, or takes the client's, and answers with it. */
export const requestIdHeader = "x-request-id";

const key = createContextKey("weft.request-id");

/** The context with a request's id, for all that is done and asked of others in it. What is no UUID leaves it as it was: it goes into logs. */
export function withRequestId(
  parent: Context,
  id: string | undefined,
): Context {
  return id !== undefined && isUuid(id) ? parent.setValue(key, id) : parent;
}

/** The id of the request that is being served, if it has one. */
export function requestId(of: Context = context.active()): string | undefined {
  // withRequestId sets nothing else.
  return of.getValue(key) as string | undefined;
}
