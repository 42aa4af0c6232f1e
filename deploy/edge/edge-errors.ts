/** An error that the edge itself answers with. */
export interface EdgeError {
  /** The HTTP status that Envoy makes it with; where that says too little, its response flag, or that a token is for others. */
  readonly from: number | "DT" | "JWT";
  /** The HTTP status that REST and Connect clients get. */
  readonly http: number;
  /** A number of google.rpc.Code. */
  readonly code: number;
  /** The name of that code in Connect. */
  readonly connect: string;
  /** `ErrorInfo.reason`, of the domain "weft.dev". */
  readonly reason: string;
  /** Left out where Envoy's own text tells the caller what to mend; elsewhere that text tells of the mesh's insides. */
  readonly message?: string;
  /** When the client may come back. */
  readonly retrySeconds?: number;
}

/** What the edge answers by itself, and how each client learns of it. The first that fits counts. */
export const edgeErrors: readonly EdgeError[] = [
  // Before 403, which is what Envoy makes of a wrong audience: that is no matter of permission.
  {
    from: "JWT",
    http: 401,
    code: 16,
    connect: "unauthenticated",
    reason: "UNAUTHENTICATED",
    message: "a valid token is required",
  },
  {
    from: "DT",
    http: 504,
    code: 4,
    connect: "deadline_exceeded",
    reason: "DEADLINE_EXCEEDED",
    message: "the call took longer than it may",
  },
  {
    from: 400,
    http: 400,
    code: 3,
    connect: "invalid_argument",
    reason: "MALFORMED_REQUEST",
  },
  {
    from: 401,
    http: 401,
    code: 16,
    connect: "unauthenticated",
    reason: "UNAUTHENTICATED",
    message: "a valid token is required",
  },
  {
    from: 403,
    http: 403,
    code: 7,
    connect: "permission_denied",
    reason: "PERMISSION_DENIED",
    message: "the caller may not do this",
  },
  {
    from: 404,
    http: 404,
    code: 12,
    connect: "unimplemented",
    reason: "UNKNOWN_METHOD",
    message: "there is no such method",
  },
  {
    from: 405,
    http: 405,
    code: 12,
    connect: "unimplemented",
    reason: "VERB_NOT_ALLOWED",
    message: "the path does not take this verb",
  },
  {
    from: 408,
    http: 408,
    code: 4,
    connect: "deadline_exceeded",
    reason: "REQUEST_TIMEOUT",
    message: "the request did not arrive in time",
  },
  {
    from: 413,
    http: 413,
    code: 8,
    connect: "resource_exhausted",
    reason: "REQUEST_TOO_LARGE",
    message: "the body of the request is too large",
  },
  {
    from: 415,
    http: 415,
    code: 3,
    connect: "invalid_argument",
    reason: "UNSUPPORTED_MEDIA_TYPE",
    message: "the content type is not supported",
  },
  {
    from: 429,
    http: 429,
    code: 8,
    connect: "resource_exhausted",
    reason: "RATE_LIMITED",
    message: "too many requests",
    // Of a flood, and of a class that is closed while the rate-limit service is away; the service tells its own times.
    retrySeconds: 1,
  },
  {
    from: 431,
    http: 431,
    code: 8,
    connect: "resource_exhausted",
    reason: "REQUEST_HEADERS_TOO_LARGE",
    message: "the headers of the request are too large",
  },
  {
    from: 500,
    http: 500,
    code: 13,
    connect: "internal",
    reason: "INTERNAL",
    message: "internal error",
  },
  {
    from: 502,
    http: 502,
    code: 14,
    connect: "unavailable",
    reason: "SERVICE_UNAVAILABLE",
    message: "the service is not available",
  },
  {
    from: 503,
    http: 503,
    code: 14,
    connect: "unavailable",
    reason: "SERVICE_UNAVAILABLE",
    message: "the service is not available",
  },
  // A body that is too large to be kept until there is a service to send it to.
  {
    from: 507,
    http: 503,
    code: 14,
    connect: "unavailable",
    reason: "SERVICE_UNAVAILABLE",
    message: "the service is not available",
  },
  {
    from: 504,
    http: 504,
    code: 4,
    connect: "deadline_exceeded",
    reason: "DEADLINE_EXCEEDED",
    message: "the call took longer than it may",
  },
];

/** REST has no methods to be unknown: there a path is a resource that is not found. */
export const unknownPath: EdgeError = {
  from: 404,
  http: 404,
  code: 5,
  connect: "not_found",
  reason: "UNKNOWN_PATH",
  message: "there is nothing at this path",
};
