import type { EdgeRequest } from "./edge-http.ts";

/** A REST request that the edge refuses by itself, and its JSON error. */
export interface RefusedRequest {
  readonly what: string;
  readonly request: Omit<EdgeRequest, "version">;
  readonly status: number;
  /** Of `google.rpc.Code`. */
  readonly code: number;
  readonly reason: string;
}

const ORDER = "orders/01890a5d-ac96-774b-bcce-b302099a8050";

export const post = (body: string | Buffer, path = "/v1/orders") => ({
  method: "POST",
  path,
  headers: { "content-type": "application/json" },
  body,
});
const lines = (line: string) => post(`{"paymentToken":"x","lines":[${line}]}`);

export const malformed = { status: 400, code: 3, reason: "MALFORMED_REQUEST" };
export const refusedByEdge: readonly RefusedRequest[] = [
  {
    what: "an unknown path",
    request: { path: "/v1/nothing" },
    status: 404,
    code: 5,
    reason: "UNKNOWN_PATH",
  },
  {
    what: "a path outside the API",
    request: { path: "/" },
    status: 404,
    code: 5,
    reason: "UNKNOWN_PATH",
  },
  {
    what: "an unknown custom verb",
    request: post("{}", `/v1/${ORDER}:eat`),
    status: 404,
    code: 5,
    reason: "UNKNOWN_PATH",
  },
  {
    what: "a wrong verb",
    request: { method: "DELETE", path: "/v1/orders" },
    status: 405,
    code: 12,
    reason: "VERB_NOT_ALLOWED",
  },
  {
    what: "a GET of a custom verb",
    request: { path: `/v1/${ORDER}:cancel` },
    status: 405,
    code: 12,
    reason: "VERB_NOT_ALLOWED",
  },
  { what: "JSON that ends early", request: post('{"lines":['), ...malformed },
  { what: "what is no JSON", request: post("<order/>"), ...malformed },
  {
    what: "a value of another type",
    request: lines('{"sku":"tea","quantity":"many"}'),
    ...malformed,
  },
  {
    what: "an enum that is not there",
    request: { path: "/v1/orders?states=STATE_LOST" },
    ...malformed,
  },
  {
    what: "an int32 out of range",
    request: lines('{"sku":"tea","quantity":2147483648}'),
    ...malformed,
  },
  {
    what: "an int64 out of range",
    request: post(
      '{"paymentToken":"x","expectedTotal":{"units":"9223372036854775808"}}',
    ),
    ...malformed,
  },
  {
    what: "an int64 that is no number",
    request: post('{"paymentToken":"x","expectedTotal":{"units":"ten"}}'),
    ...malformed,
  },
  {
    what: "bad UTF-8 in a body",
    request: post(
      Buffer.from([
        ...Buffer.from('{"paymentToken":"'),
        0xc3,
        0x28,
        ...Buffer.from('"}'),
      ]),
    ),
    ...malformed,
  },
  {
    what: "bad UTF-8 in a path",
    request: { path: "/v1/orders/%c3%28" },
    ...malformed,
  },
  {
    what: "bad UTF-8 in a query",
    request: { path: "/v1/orders?customer=%ff" },
    ...malformed,
  },
  {
    what: "an overlong form in a query",
    request: { path: "/v1/orders?customer=%c0%af" },
    ...malformed,
  },
  {
    what: "a surrogate in a query",
    request: { path: "/v1/orders?customer=%ed%a0%80" },
    ...malformed,
  },
  {
    what: "a NUL in a query",
    request: { path: "/v1/orders?customer=%00" },
    ...malformed,
  },
  {
    what: "a percent sign that encodes nothing",
    request: { path: "/v1/orders?customer=%zz" },
    ...malformed,
  },
  {
    what: "an escaped slash",
    request: { path: "/v1/orders%2Fx" },
    ...malformed,
  },
  {
    what: "an unknown query parameter",
    request: { path: "/v1/orders?colour=red" },
    ...malformed,
  },
  {
    what: "a body over 4 MiB",
    request: post(Buffer.alloc(4 * 1024 * 1024 + 1, "a")),
    status: 413,
    code: 8,
    reason: "REQUEST_TOO_LARGE",
  },
];
