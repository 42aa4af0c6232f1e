import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { readAmount, readBody, requireField } from "./form.ts";
import { readKey } from "./idempotency.ts";
import { noSuch, ProviderError } from "./provider-error.ts";
import { answerPost, type ProviderDeps } from "./provider.ts";
import {
  listByTime,
  requireIntent,
  searchByMetadata,
} from "./provider-state.ts";
import { parseSearchQuery } from "./search-query.ts";
import { readFaults } from "./webhook-faults.ts";

const MAX_CONNECTIONS = 2_000;
/** The longest a socket is held for a client that never gives up. */
const MAX_HOLD_MS = 120_000;
const SEARCH_LIMIT = 10;
const LIST_LIMIT = 100;

export interface ServerDeps extends ProviderDeps {
  readonly reportError: (error: unknown) => void;
}

/** Starts the provider's HTTP API; resolves once it listens. */
export async function startServer(
  deps: ServerDeps,
  address: { readonly host: string; readonly port: number },
): Promise<Server> {
  const server = createServer((request, response) => {
    void respond(deps, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.requestTimeout = 10_000;
  server.listen(address.port, address.host);
  await once(server, "listening");
  return server;
}

async function respond(
  deps: ServerDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await route(deps, request, response);
  } catch (error) {
    if (response.destroyed || response.headersSent) return;
    if (error instanceof ProviderError) {
      // Its state may rest on a line that is still being written.
      await deps.journal.flushed();
      send(response, error.status, error.body());
      return;
    }
    deps.reportError(error);
    response.destroy();
  }
}

async function route(
  deps: ServerDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://provider");
  if (request.method === "POST") {
    await post(deps, url, request, response);
    return;
  }
  if (request.method !== "GET") throw noSuch("route", url.pathname, "path");
  await deps.journal.flushed();
  switch (url.pathname) {
    case "/healthz":
      send(response, 200, '{"status":"ok"}');
      return;
    case "/log":
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      await pipeline(deps.journal.read(), response);
      return;
    case "/admin/webhooks":
      send(response, 200, JSON.stringify(deps.webhooks.stats()));
      return;
    case "/v1/payment_intents":
      send(response, 200, list(deps, url));
      return;
    case "/v1/payment_intents/search":
      send(response, 200, search(deps, url));
      return;
    default:
      send(response, 200, retrieve(deps, url));
  }
}

async function post(
  deps: ServerDeps,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  if (await administer(deps, url.pathname, new URLSearchParams(body))) {
    send(response, 200, JSON.stringify(deps.webhooks.stats()));
    return;
  }
  const key = readKey(request.headers["idempotency-key"]);
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const signal = AbortSignal.any([
    gone.signal,
    AbortSignal.timeout(MAX_HOLD_MS),
  ]);

  const { pathname: path } = url;
  const answer = await answerPost(deps, { path, body, key, signal }).catch(
    (error: unknown) => {
      if (!signal.aborted) throw error;
      response.destroy();
    },
  );
  if (answer === undefined) return;
  send(response, answer.status, answer.body, {
    ...(key === undefined ? {} : { "idempotency-key": key }),
    ...(answer.replayed ? { "idempotent-replayed": "true" } : {}),
  });
}

/** Requests about webhooks; false for all others. */
async function administer(
  { webhooks }: ServerDeps,
  path: string,
  form: URLSearchParams,
): Promise<boolean> {
  switch (path) {
    case "/v1/webhook_endpoints":
      await webhooks.setEndpoint({
        url: requireField(form, "url"),
        secret: requireField(form, "secret"),
      });
      return true;
    case "/admin/webhooks":
      webhooks.faults = readFaults(form);
      return true;
    default:
      return false;
  }
}

function list(deps: ServerDeps, url: URL): string {
  const query = url.searchParams;
  const span = {
    from: Number(query.get("created[gte]") ?? "0"),
    to: Number(query.get("created[lt]") ?? "Infinity"),
  };
  const limit = Math.min(readAmount(query, "limit") ?? 10, LIST_LIMIT);
  const after = query.get("starting_after") ?? undefined;
  const { data, hasMore } = listByTime(deps.state, span, after, limit);
  return JSON.stringify({ object: "list", has_more: hasMore, data });
}

function search(deps: ServerDeps, url: URL): string {
  const wanted = parseSearchQuery(url.searchParams.get("query"));
  const data = searchByMetadata(deps.state, wanted, SEARCH_LIMIT);
  return JSON.stringify({ object: "search_result", has_more: false, data });
}

function retrieve(deps: ServerDeps, url: URL): string {
  const id = /^\/v1\/payment_intents\/(\w+)$/.exec(url.pathname)?.[1];
  if (id === undefined) throw noSuch("route", url.pathname, "path");
  return JSON.stringify(requireIntent(deps.state, id));
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
