import {
  connect as connectHttp2,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import { request as httpsRequest } from "node:https";
import type { EdgeWorld } from "./edge-world.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON; throws where it is not. */
  readonly json: () => unknown;
}

export interface HttpRequest {
  readonly method?: string;
  readonly path: string;
  /** The world's token is sent too, unless they have an `authorization`; an empty one is not sent. */
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly version?: 1 | 2;
}

type RawAnswer = Pick<HttpAnswer, "status" | "headers" | "body">;

/** One request, over HTTP/1.1 or HTTP/2, with the mesh's CA. The path is sent as it is. */
export async function http(
  world: EdgeWorld,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const headers = authorized(world, request.headers);
  const answer =
    request.version === 1
      ? await http1(world, { ...request, headers })
      : await http2(world, { ...request, headers });
  const text = answer.body.toString();
  return { ...answer, text, json: () => JSON.parse(text) };
}

function authorized(
  world: EdgeWorld,
  headers: Record<string, string> = {},
): Record<string, string> {
  const { authorization = `Bearer ${world.token}`, ...others } = headers;
  return authorization === "" ? others : { ...others, authorization };
}

function http1(
  world: EdgeWorld,
  { method = "GET", path, headers = {}, body }: HttpRequest,
) {
  return new Promise<RawAnswer>((resolve, reject) => {
    const request = httpsRequest(world.url, {
      method,
      path,
      headers,
      ca: world.ca,
      timeout: 20_000,
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function http2(
  world: EdgeWorld,
  { method = "GET", path, headers = {}, body }: HttpRequest,
) {
  const session = connectHttp2(world.url, { ca: world.ca });
  try {
    return await new Promise<RawAnswer>((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({
        ":method": method,
        ":path": path,
        ...headers,
      });
      const chunks: Buffer[] = [];
      let head: IncomingHttpHeaders & IncomingHttpStatusHeader = {};
      stream.on("response", (received) => (head = received));
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () =>
        resolve({
          status: head[":status"] ?? 0,
          headers: head,
          body: Buffer.concat(chunks),
        }),
      );
      stream.on("error", reject);
      stream.end(body);
    });
  } finally {
    session.destroy();
  }
}
