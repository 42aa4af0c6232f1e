import { randomUUID } from "node:crypto";
import { fromBinary, type DescService } from "@bufbuild/protobuf";
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { file_weft_inventory_v1_inventory_events } from "../../../gen/ts/weft/inventory/v1/inventory_events_pb.ts";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import type { ParticipantService } from "../../../gen/ts/weft/transaction/v1/participant_service_pb.ts";
import {
  expireReservations,
  type ExpireReservationsDeps,
} from "../../../services/inventory/app/expire-reservations.ts";
import { createPriceCache } from "../../../services/inventory/app/price-cache.ts";
import type { FollowOrdersDeps } from "../../../services/inventory/app/follow-orders.ts";
import { createReservationBatches } from "../../../services/inventory/app/reservation-batches.ts";
import {
  announceThrough,
  announceTogetherThrough,
} from "../../../services/inventory/events/announce-change.ts";
import {
  inventoryService,
  joinedMethods,
} from "../../../services/inventory/rpc/inventory-service.ts";
import { participantService } from "../../../services/inventory/rpc/participant-service.ts";
import { productToProto } from "../../../services/inventory/rpc/product-to-proto.ts";
import { reservationToProto } from "../../../services/inventory/rpc/reservation-to-proto.ts";
import {
  createDatabase,
  type Database,
} from "../../../services/platform/data/database.ts";
import { createOutbox } from "../../../services/platform/events/outbox.ts";
import { identityHeaders } from "../../../services/platform/rpc/authorize.ts";
import { peerKey } from "../../../services/platform/rpc/caller.ts";
import { withMiddleware } from "../../../services/platform/rpc/middleware.ts";
import { createPageTokens } from "../../../services/platform/rpc/page-token.ts";
import type { MountedService } from "../../../services/platform/rpc/server.ts";
import { createValidate } from "../../../services/platform/rpc/validate.ts";
import { Secret } from "../../../services/platform/runtime/config.ts";
import { newId } from "../../../services/platform/runtime/ids.ts";
import type { TestDatabase } from "../../support/database.ts";
import { silentLogger } from "../../support/silent-logger.ts";

export type InventoryClient = Client<typeof InventoryService>;

export interface NewProduct {
  readonly sku?: string;
  readonly currency?: string;
  readonly units?: bigint;
}

export interface World {
  readonly tenant: string;
  readonly db: Database;
  /** What the use cases take. */
  readonly deps: ExpireReservationsDeps & FollowOrdersDeps;
  /** A user of this world's tenant, or of another, with every scope. */
  user(tenant?: string): InventoryClient;
  /** The Order service, which acts for this world's tenant or for another. */
  order(tenant?: string): InventoryClient;
  /** The Order service as a coordinator of two-phase commits. */
  participant(): Client<typeof ParticipantService>;
  addProduct(stock: number, product?: NewProduct): Promise<string>;
  sweep(limit?: number): Promise<number>;
  /** Moves the service's clock. */
  pass(ms: number): void;
}

/** The whole service but its sockets, over a real database, for a tenant of its own. */
export function setupWorld(database: TestDatabase): World {
  const tenant = `tenant-${randomUUID()}`;
  const db = createDatabase({
    url: database.url,
    logger: silentLogger,
    applicationName: "inventory test",
    poolSize: 16,
    maxWaiting: 500,
    acquireTimeoutMs: 20_000,
  });
  onTestFinished(() => db.close());
  let offsetMs = 0;
  const outbox = createOutbox({ wake: () => undefined });
  const shapes = { product: productToProto, reservation: reservationToProto };
  const writing = {
    db,
    logger: silentLogger,
    announce: announceThrough(outbox, shapes),
    announceTogether: announceTogetherThrough(outbox, shapes),
    prices: createPriceCache(),
    now: () => new Date(Date.now() + offsetMs),
  };
  const deps = {
    ...writing,
    batches: createReservationBatches(writing),
    newId: () => newId(),
    pageTokens: createPageTokens(
      new Secret("a secret of 32 characters at least"),
    ),
  };
  const client = clientsOf(db, inventoryService(deps));
  const participant = clientsOf(
    db,
    participantService({ ...deps, resolver: db }),
  );
  const user = (of = tenant) => client("edge", of);
  return {
    tenant,
    db,
    deps,
    user,
    order: (of = tenant) => client("order", of),
    participant: () => participant("order", tenant),
    addProduct: (stock, product = {}) => addProduct(user(), stock, product),
    sweep: (limit = 50) => expireReservations(deps, limit),
    pass: (ms) => void (offsetMs += ms),
  };
}

/** Clients of a service without sockets, by who calls and for which tenant. */
function clientsOf<Desc extends DescService>(
  db: Database,
  { desc, implementation }: MountedService<Desc>,
) {
  const wrapped = withMiddleware(
    {
      logger: silentLogger,
      validate: createValidate(),
      once: { db, joined: joinedMethods },
    },
    desc,
    implementation,
  );
  return (peer: "edge" | "order", tenant: string): Client<Desc> => {
    const transport = createRouterTransport(
      (router) => void router.service(desc, wrapped),
      {
        router: {
          interceptors: [
            (next) => (request) => {
              request.contextValues.set(peerKey, peer);
              for (const [name, value] of identity(peer, tenant)) {
                request.header.set(name, value);
              }
              return next(request);
            },
          ],
        },
      },
    );
    return createClient(desc, transport);
  };
}

function identity(peer: "edge" | "order", tenant: string): [string, string][] {
  if (peer === "order") return [[identityHeaders.tenant, tenant]];
  const claims = {
    sub: "tester",
    tenant,
    scope: "inventory:read inventory:write",
  };
  const encoded = Buffer.from(JSON.stringify(claims)).toString("base64url");
  return [[identityHeaders.claims, encoded]];
}

async function addProduct(
  client: InventoryClient,
  stock: number,
  product: NewProduct,
): Promise<string> {
  const {
    sku = `sku-${randomUUID()}`,
    currency = "EUR",
    units = 10n,
  } = product;
  await client.createProduct({
    sku,
    product: { title: "A mug", price: { currencyCode: currency, units } },
    openingStock: BigInt(stock),
  });
  return sku;
}

/** A Reserve of these lines, `{ sku: quantity }`, for an order of its own. */
export function reserveRequest(lines: Readonly<Record<string, number>>) {
  return {
    reservationId: newId(),
    order: `orders/${newId()}`,
    lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity })),
  };
}

export interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The refusal that a call ends in; fails if it succeeds. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    const refused = ConnectError.from(error);
    const [info] = refused.findDetails(ErrorInfoSchema);
    return {
      code: Code[refused.code] ?? "",
      reason: info?.reason ?? "",
      metadata: { ...info?.metadata },
    };
  }
  throw new Error("the call was not refused");
}

/** A product's units as `[available, reserved, sold]`. */
export async function stockOf(world: World, sku: string): Promise<number[]> {
  const { product } = await world
    .user()
    .getProduct({ name: `products/${sku}` });
  const stock = product?.stock;
  return [stock?.available, stock?.reserved, stock?.sold].map(Number);
}

/** The outbox's events of one key, oldest first, as their contract's messages. */
export async function eventsOf(world: World, key: string) {
  const { rows } = await world.db.query<{ type: string; payload: Buffer }>(
    `select type, payload
     from outbox
     where aggregate_id = $1
     order by position`,
    [key],
  );
  return rows.map(({ type, payload }) => {
    const desc = file_weft_inventory_v1_inventory_events.messages.find(
      (message) => message.typeName === type,
    );
    if (desc === undefined) throw new Error(`no contract for ${type}`);
    return { type: desc.name, message: fromBinary(desc, payload) };
  });
}
