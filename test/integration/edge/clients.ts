import { createClient, type Client, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import {
  Client as GrpcClient,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  fromBinary,
  toBinary,
  type DescMethod,
  type MessageInitShape,
  create,
  type DescMessage,
  type MessageShape,
} from "@bufbuild/protobuf";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { withBearer } from "../../support/bearer-transport.ts";
import type { EdgeWorld } from "./edge-world.ts";

export type OrderClient = Client<typeof OrderService>;

/** Every kind of client that Connect's libraries make, by name. */
export function transports(world: EdgeWorld): Record<string, Transport> {
  const baseUrl = world.url;
  const nodeOptions = { ca: world.ca };
  const h2 = { baseUrl, httpVersion: "2", nodeOptions } as const;
  const h1 = { baseUrl, httpVersion: "1.1", nodeOptions } as const;
  const all = {
    "Connect JSON over HTTP/2": createConnectTransport({
      ...h2,
      useBinaryFormat: false,
    }),
    "Connect binary over HTTP/2": createConnectTransport({
      ...h2,
      useBinaryFormat: true,
    }),
    "Connect JSON over HTTP/1.1": createConnectTransport({
      ...h1,
      useBinaryFormat: false,
    }),
    "Connect JSON by GET": createConnectTransport({
      ...h2,
      useBinaryFormat: false,
      useHttpGet: true,
    }),
    "Connect binary by GET": createConnectTransport({
      ...h2,
      useBinaryFormat: true,
      useHttpGet: true,
    }),
    "gRPC-Web over HTTP/2": createGrpcWebTransport(h2),
    "gRPC-Web over HTTP/1.1": createGrpcWebTransport(h1),
    "connect-node's gRPC": createGrpcTransport({ baseUrl, nodeOptions }),
  };
  return Object.fromEntries(
    Object.entries(all).map(([kind, each]) => [kind, withBearer(each, world)]),
  );
}

/** Those that compress what they send, and are answered so. */
export function compressingTransports(
  world: EdgeWorld,
): Record<string, Transport> {
  const common = {
    baseUrl: world.url,
    nodeOptions: { ca: world.ca },
    sendCompression: compressionGzip,
    acceptCompression: [compressionGzip],
    compressMinBytes: 1,
  };
  const h2 = { ...common, httpVersion: "2" } as const;
  const all = {
    "Connect JSON": createConnectTransport({ ...h2, useBinaryFormat: false }),
    "Connect binary": createConnectTransport({ ...h2, useBinaryFormat: true }),
    "gRPC-Web": createGrpcWebTransport(h2),
    gRPC: createGrpcTransport(common),
  };
  return Object.fromEntries(
    Object.entries(all).map(([kind, each]) => [kind, withBearer(each, world)]),
  );
}

export function orderClient(transport: Transport): OrderClient {
  return createClient(OrderService, transport);
}

/** One unary call by grpc-js, the client that most Node programs have. */
export async function grpcCall<I extends DescMessage, O extends DescMessage>(
  world: EdgeWorld,
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
  options: { metadata?: Metadata; deadlineMs?: number } = {},
): Promise<MessageShape<O>> {
  const metadata = options.metadata?.clone() ?? new Metadata();
  if (metadata.get("authorization").length === 0) {
    metadata.set("authorization", `Bearer ${world.token}`);
  }
  const client = new GrpcClient(world.address, credentials.createSsl(world.ca));
  try {
    return await new Promise((resolve, reject) => {
      const args = [
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<I>) =>
          Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
      ] as const;
      // Without an error, grpc-js hands over a response.
      const done = (error: ServiceError | null, response?: MessageShape<O>) =>
        error ? reject(error) : resolve(response as MessageShape<O>);
      const callOptions = {
        deadline: Date.now() + (options.deadlineMs ?? 20_000),
      };
      client.makeUnaryRequest(...args, metadata, callOptions, done);
    });
  } finally {
    client.close();
  }
}
