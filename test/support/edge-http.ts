import type { IncomingHttpHeaders } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import type { EdgeAddress } from "./mesh-under-test.ts";

export interface EdgeRequest {
  /** Of HTTP; 2 when left out. */
  readonly version?: 1 | 2;
  readonly method?: string;
  /** Sent as it is. */
  readonly path: string;
  /** The edge's token is sent too, unless they have an `authorization`; an empty one is not sent. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

export interface EdgeResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface EdgeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON; throws where it is not. */
  readonly json: () => unknown;
}

const DEADLINE_MS = 60_000;

/** One request on a connection of its own, with its whole answer. */
export async function send(
  edge: EdgeAddress,
  request: EdgeRequest,
): Promise<EdgeAnswer> {
  const signal = request.signal ?? AbortSignal.timeout(DEADLINE_MS);
  const response = await open(edge, { ...request, signal });
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const text = body.toString();
  return { ...response, body, text, json: () => JSON.parse(text) };
}

/** One request on a connection of its own; the body comes as it arrives, and the connection ends with it. */
export function open(
  edge: EdgeAddress,
  request: EdgeRequest,
): Promise<EdgeResponse> {
  const headers = authorized(edge, request.headers);
  return request.version === 1
    ? openHttp1(edge, { ...request, headers })
    : openHttp2(edge, { ...request, headers });
}

function authorized(
  { token }: EdgeAddress,
  headers: EdgeRequest["headers"] = {},
): Record<string, string> {
  const own = token === undefined ? "" : `Bearer ${token}`;
  const { authorization = own, ...others } = headers;
  return authorization === "" ? others : { ...others, authorization };
}

function openHttp1(
  edge: EdgeAddress,
  { method = "GET", path, headers = {}, body, signal }: EdgeRequest,
): Promise<EdgeResponse> {
  return new Promise((resolve, reject) => {
    const options = {
      method,
      path,
      headers,
      ca: edge.ca,
      agent: false,
      ...(signal && { signal }),
    };
    const request = httpsRequest(edge.url, options, (response) =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: response,
      }),
    );
    request.on("error", reject);
    request.end(body);
  });
}

function openHttp2(
  edge: EdgeAddress,
  { method = "GET", path, headers = {}, body, signal }: EdgeRequest,
): Promise<EdgeResponse> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(edge.url, { ca: edge.ca });
    session.on("error", reject);
    const stream = session.request(
      { ...headers, ":method": method, ":path": path },
      { ...(signal && { signal }) },
    );
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      reject(new Error("the stream closed without an answer"));
    });
    stream.on("response", (received) =>
      resolve({
        status: received[":status"] ?? 0,
        headers: received,
        body: stream,
      }),
    );
    stream.end(body);
  });
}
