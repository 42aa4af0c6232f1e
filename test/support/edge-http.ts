import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import type { EdgeAddress } from "./mesh-under-test.ts";

export interface EdgeRequest {
  readonly version: 1 | 2;
  readonly method?: string;
  /** Sent as it is. */
  readonly path: string;
  /** The edge's token is sent too, unless they have an `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

export interface EdgeResponse {
  readonly status: number;
  readonly headers: Readonly<
    Record<string, string | readonly string[] | undefined>
  >;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface EdgeAnswer {
  readonly status: number;
  readonly headers: EdgeResponse["headers"];
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
  const { status, headers, body } = await open(edge, { ...request, signal });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return { status, headers, text, json: () => JSON.parse(text) };
}

/** One request on a connection of its own; the body comes as it arrives, and the connection ends with it. */
export function open(
  edge: EdgeAddress,
  request: EdgeRequest,
): Promise<EdgeResponse> {
  const headers = { ...bearer(edge), ...request.headers };
  return request.version === 1
    ? openHttp1(edge, { ...request, headers })
    : openHttp2(edge, { ...request, headers });
}

function bearer({ token }: EdgeAddress): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
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
        headers: received as EdgeResponse["headers"],
        body: stream,
      }),
    );
    stream.end(body);
  });
}
