import { createClient, type Client, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { Agent } from "node:https";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
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

type OpenTransport = (
  edge: EdgeAddress,
  stack: DisposableStack,
  reading: RestReading,
) => Transport;

const TRANSPORTS = {
  gRPC: (edge, stack) => stack.use(createGrpcJsTransport(edge)),
  "Connect JSON over HTTP/2": (edge, stack) =>
    createConnectTransport({ ...http2(edge, stack), useBinaryFormat: false }),
  "Connect binary over HTTP/1.1": (edge, stack) =>
    createConnectTransport({ ...http1(edge, stack), useBinaryFormat: true }),
  "Connect GET": (edge, stack) =>
    createConnectTransport({ ...http2(edge, stack), useHttpGet: true }),
  "gRPC-Web over HTTP/1.1": (edge, stack) =>
    createGrpcWebTransport(http1(edge, stack)),
  "gRPC-Web over HTTP/2": (edge, stack) =>
    createGrpcWebTransport(http2(edge, stack)),
  "REST by fetch": (edge, _, reading) =>
    createRestTransport((request) => byFetch(edge, request), reading),
  "REST over HTTP/2": (edge, _, reading) =>
    createRestTransport(
      (request) => open(edge, { ...request, version: 2 }),
      reading,
    ),
} as const satisfies Record<string, OpenTransport>;

export type ClientKind = keyof typeof TRANSPORTS;

// The keys of the record are its kinds.
export const clientKinds = Object.keys(TRANSPORTS) as ClientKind[];

/** One kind for each protocol: where a difference between encodings or HTTP versions can't matter. */
export const protocolKinds = [
  "gRPC",
  "Connect JSON over HTTP/2",
  "gRPC-Web over HTTP/1.1",
  "REST by fetch",
] as const satisfies readonly ClientKind[];

/** Connects to the edge; the connections end with the client. */
export function connectToEdge(edge: EdgeAddress, kind: ClientKind): EdgeClient {
  const transport = openTransport(edge, kind);
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
  reading: RestReading = {},
): Transport & Disposable {
  const stack = new DisposableStack();
  const transport = (TRANSPORTS[kind] as OpenTransport)(edge, stack, reading);
  return {
    ...withBearer(transport, edge),
    [Symbol.dispose]: () => stack.dispose(),
  };
}

function http1(edge: EdgeAddress, stack: DisposableStack) {
  const agent = stack.adopt(
    new Agent({ keepAlive: true, ca: edge.ca }),
    (each) => each.destroy(),
  );
  return {
    baseUrl: edge.url,
    httpVersion: "1.1",
    nodeOptions: { agent },
  } as const;
}

function http2(edge: EdgeAddress, stack: DisposableStack) {
  const sessionManager = stack.adopt(
    new Http2SessionManager(edge.url, {}, { ca: edge.ca }),
    (each) => each.abort(),
  );
  return { baseUrl: edge.url, httpVersion: "2", sessionManager } as const;
}

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
