import { createClient, type Client, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import type { ServiceImpl } from "@connectrpc/connect";
import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { OrderService } from "../../../gen/ts/weft/order/v1/order_service_pb.ts";
import { createMeshTransport } from "../../../services/platform/rpc/mesh-transport.ts";
import {
  serve,
  service,
  type RunningServer,
} from "../../../services/platform/rpc/server.ts";
import { createMeshTls, type MeshTls } from "../../support/mesh-tls.ts";
import { silentLogger } from "../../support/silent-logger.ts";

/** The protocols that one implementation is served in. */
export const protocols = [
  "gRPC",
  "Connect JSON",
  "Connect binary",
  "gRPC-Web",
] as const;
export type Protocol = (typeof protocols)[number];

export type OrderImpl = ServiceImpl<typeof OrderService>;
export type InventoryImpl = ServiceImpl<typeof InventoryService>;

export const orderName = "orders/00000000-0000-7000-8000-000000000001";

/** What the edge says of a user, with these scopes. */
export function claimed(
  scope: string,
  tenant = "acme",
): { headers: Record<string, string> } {
  const claims = JSON.stringify({ sub: "ada", tenant, scope });
  const encoded = Buffer.from(claims).toString("base64url");
  return { headers: { "x-weft-claims": encoded } };
}

export const asUser = claimed("orders:read orders:write inventory:read");

export interface RpcWorld extends AsyncDisposable {
  readonly tls: MeshTls;
  readonly order: RunningServer;
  /** A client of the Order service that comes from the edge. */
  orders(protocol: Protocol): Client<typeof OrderService>;
  /** A transport of a peer's to the server at a port, which must be the callee's. */
  transport(peer: string, callee: string, port: number): Transport;
  /** One more server, stopped with the world. */
  serveInventory(
    implementation: Partial<InventoryImpl>,
  ): Promise<RunningServer>;
}

/** The Order service with an implementation of the test's, on real sockets with mutual TLS. */
export async function setupRpc(
  implementation: Partial<OrderImpl>,
  options: Partial<Parameters<typeof serve>[0]> = {},
): Promise<RpcWorld> {
  await using starting = new AsyncDisposableStack();
  const stack = new AsyncDisposableStack();
  starting.use(stack);
  const tls = stack.use(await createMeshTls(["order", "inventory", "payment"]));
  const start = async (
    name: string,
    mounted: ReturnType<typeof service>,
    more: Partial<Parameters<typeof serve>[0]> = {},
  ) => {
    const server = await serve({
      host: "127.0.0.1",
      grpcPort: 0,
      connectPort: 0,
      tls: tls.of(name),
      services: [mounted],
      logger: silentLogger,
      ...more,
    });
    stack.defer(() => server.drain(AbortSignal.timeout(200)));
    return server;
  };
  const order = await start(
    "order",
    service(OrderService, complete(OrderService, implementation)),
    options,
  );
  const transport = (peer: string, callee: string, port: number) => {
    const made = createMeshTransport({
      address: `127.0.0.1:${port}`,
      callee,
      tls: tls.of(peer),
      logger: silentLogger,
    });
    stack.defer(() => made.close());
    return made;
  };
  const web = (protocol: Protocol): Transport => {
    const base = {
      httpVersion: "2" as const,
      baseUrl: `https://localhost:${order.connectPort}`,
      nodeOptions: { ...tls.of("edge") },
    };
    return protocol === "gRPC-Web"
      ? createGrpcWebTransport(base)
      : createConnectTransport({
          ...base,
          useBinaryFormat: protocol === "Connect binary",
        });
  };
  // From here on the stack is the world's.
  starting.move();
  return {
    tls,
    order,
    transport,
    orders: (protocol) =>
      createClient(
        OrderService,
        protocol === "gRPC"
          ? transport("edge", "order", order.grpcPort)
          : web(protocol),
      ),
    serveInventory: (inventory) =>
      start(
        "inventory",
        service(InventoryService, complete(InventoryService, inventory)),
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The methods that a test does not speak of must not be called. */
function complete<S extends typeof OrderService | typeof InventoryService>(
  desc: S,
  implementation: Partial<ServiceImpl<S>>,
): ServiceImpl<S> {
  const untold = Object.fromEntries(
    Object.keys(desc.method).map((name) => [
      name,
      () => {
        throw new Error(`${name} is not part of this test`);
      },
    ]),
  );
  // Every method of the service has a key, by the loop above.
  return { ...untold, ...implementation } as ServiceImpl<S>;
}
