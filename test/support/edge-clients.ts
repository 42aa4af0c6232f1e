import { createClient, type Client, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { Agent } from "node:https";
import { Readable } from "node:stream";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { createGunzip } from "node:zlib";
import { FilesService } from "../../gen/ts/weft/files/v1/files_service_pb.ts";
import { EventsService } from "../../gen/ts/weft/events/v1/events_service_pb.ts";
import { InventoryService } from "../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { OperationsService } from "../../gen/ts/weft/operations/v1/operations_service_pb.ts";
import { OrderService } from "../../gen/ts/weft/order/v1/order_service_pb.ts";
import { PaymentService } from "../../gen/ts/weft/payment/v1/payment_service_pb.ts";
import { SortService } from "../../gen/ts/weft/sort/v1/sort_service_pb.ts";
import { withBearer } from "./bearer-transport.ts";
import { createGrpcJsTransport } from "./edge-grpc-transport.ts";
import { open, type EdgeResponse } from "./edge-http.ts";
import {
  createRestTransport,
  type RestReading,
  type RestRequest,
} from "./edge-rest-transport.ts";
import type { EdgeAddress } from "./mesh-under-test.ts";

/** Everything a user of the edge may call, by one kind of client. */
export interface EdgeClient extends Disposable {
  readonly orders: Client<typeof OrderService>;
  readonly inventory: Client<typeof InventoryService>;
  readonly payments: Client<typeof PaymentService>;
  readonly files: Client<typeof FilesService>;
  readonly sort: Client<typeof SortService>;
  readonly events: Client<typeof EventsService>;
  readonly operations: Client<typeof OperationsService>;
}

export interface ClientOptions extends RestReading {
  /** Sends compressed messages and asks for such, whatever their size; a client of REST only asks. */
  readonly compress?: boolean;
}

type OpenTransport = (
  edge: EdgeAddress,
  stack: DisposableStack,
  options: ClientOptions,
) => Transport;

const TRANSPORTS = {
  gRPC: (edge, stack, { compress }) =>
    stack.use(createGrpcJsTransport(edge, compress)),
  "gRPC by connect-node": (...of) => createGrpcTransport(http2(...of)),
  "Connect JSON over HTTP/2": (...of) =>
    createConnectTransport({ ...http2(...of), useBinaryFormat: false }),
  "Connect JSON over HTTP/1.1": (...of) =>
    createConnectTransport({ ...http1(...of), useBinaryFormat: false }),
  "Connect binary over HTTP/2": (...of) =>
    createConnectTransport({ ...http2(...of), useBinaryFormat: true }),
  "Connect binary over HTTP/1.1": (...of) =>
    createConnectTransport({ ...http1(...of), useBinaryFormat: true }),
  "Connect JSON by GET": (...of) =>
    createConnectTransport({
      ...http2(...of),
      useBinaryFormat: false,
      useHttpGet: true,
    }),
  "Connect binary by GET": (...of) =>
    createConnectTransport({
      ...http2(...of),
      useBinaryFormat: true,
      useHttpGet: true,
    }),
  "gRPC-Web over HTTP/1.1": (...of) => createGrpcWebTransport(http1(...of)),
  "gRPC-Web over HTTP/2": (...of) => createGrpcWebTransport(http2(...of)),
  "REST by fetch": (edge, _, options) =>
    createRestTransport((request) => byFetch(edge, request), options),
  "REST over HTTP/2": (edge, _, options) =>
    createRestTransport((request) => byHttp2(edge, request, options), options),
} as const satisfies Record<string, OpenTransport>;

export type ClientKind = keyof typeof TRANSPORTS;

// The keys of the record are its kinds.
export const everyClientKind = Object.keys(TRANSPORTS) as ClientKind[];

/** Each protocol, encoding and HTTP version at least once. */
export const clientKinds = [
  "gRPC",
  "Connect JSON over HTTP/2",
  "Connect binary over HTTP/1.1",
  "Connect binary by GET",
  "gRPC-Web over HTTP/1.1",
  "gRPC-Web over HTTP/2",
  "REST by fetch",
  "REST over HTTP/2",
] as const satisfies readonly ClientKind[];

/** One kind for each protocol: where a difference between encodings or HTTP versions can't matter. */
export const protocolKinds = [
  "gRPC",
  "Connect JSON over HTTP/2",
  "gRPC-Web over HTTP/1.1",
  "REST by fetch",
] as const satisfies readonly ClientKind[];

/** Connects to the edge; the connections end with the client. */
export function connectToEdge(
  edge: EdgeAddress,
  kind: ClientKind,
  options: ClientOptions = {},
): EdgeClient {
  const transport = openTransport(edge, kind, options);
  return {
    orders: createClient(OrderService, transport),
    inventory: createClient(InventoryService, transport),
    payments: createClient(PaymentService, transport),
    files: createClient(FilesService, transport),
    sort: createClient(SortService, transport),
    events: createClient(EventsService, transport),
    operations: createClient(OperationsService, transport),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

/** One kind of client, for contracts that are not the ones here; its connections end with it. */
export function openTransport(
  edge: EdgeAddress,
  kind: ClientKind,
  options: ClientOptions = {},
): Transport & Disposable {
  const stack = new DisposableStack();
  const transport = (TRANSPORTS[kind] as OpenTransport)(edge, stack, options);
  return {
    ...withBearer(transport, edge),
    [Symbol.dispose]: () => stack.dispose(),
  };
}

function http1(
  edge: EdgeAddress,
  stack: DisposableStack,
  options: ClientOptions,
) {
  const agent = stack.adopt(
    new Agent({ keepAlive: true, ca: edge.ca }),
    (each) => each.destroy(),
  );
  return {
    ...compressionOf(options),
    baseUrl: edge.url,
    httpVersion: "1.1",
    nodeOptions: { agent },
  } as const;
}

function http2(
  edge: EdgeAddress,
  stack: DisposableStack,
  options: ClientOptions,
) {
  const sessionManager = stack.adopt(
    new Http2SessionManager(edge.url, {}, { ca: edge.ca }),
    (each) => each.abort(),
  );
  return {
    ...compressionOf(options),
    baseUrl: edge.url,
    httpVersion: "2",
    sessionManager,
  } as const;
}

function compressionOf({ compress }: ClientOptions) {
  return compress
    ? {
        sendCompression: compressionGzip,
        acceptCompression: [compressionGzip],
        compressMinBytes: 1,
      }
    : {};
}

async function byHttp2(
  edge: EdgeAddress,
  request: RestRequest,
  { compress }: ClientOptions,
): Promise<EdgeResponse> {
  const headers = {
    ...request.headers,
    ...(compress && { "accept-encoding": "gzip" }),
  };
  const response = await open(edge, { ...request, headers, version: 2 });
  return response.headers["content-encoding"] === "gzip"
    ? { ...response, body: Readable.from(response.body).pipe(createGunzip()) }
    : response;
}

/** `fetch` asks for compressed answers by itself. */
async function byFetch(
  edge: EdgeAddress,
  { path, method, headers, body, signal }: RestRequest,
): Promise<EdgeResponse> {
  trust(edge.ca.toString());
  const response = await fetch(`${edge.url}${path}`, {
    ...(method && { method }),
    ...(headers && { headers }),
    ...(body && { body: String(body) }),
    ...(signal && { signal }),
  });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: response.body ?? emptyBody(),
  };
}

/** `fetch` takes no authority of its own; the process's are what it believes. */
function trust(ca: string): void {
  const known = getCACertificates("default");
  if (!known.includes(ca)) setDefaultCACertificates([...known, ca]);
}

async function* emptyBody(): AsyncGenerator<Uint8Array> {}
