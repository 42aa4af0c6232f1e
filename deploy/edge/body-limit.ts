/** The largest body of a unary request, in any protocol but gRPC, whose servers state their own. */
export const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * The same of a method that anybody may call: the edge holds it for who has no token. 500 webhooks at once, which their rate
 * limit lets through, of 4 MiB are twice the heap.
 */
export const MAX_PUBLIC_BODY_BYTES = 256 * 1024;

/** The largest response that is transcoded to JSON, in bytes of protobuf: a full page of the largest resource, many times. */
export const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
