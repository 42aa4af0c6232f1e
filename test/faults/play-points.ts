import { randomUUID } from "node:crypto";
import { Order_State as State } from "../../gen/ts/weft/order/v1/order_pb.ts";
import { connectToEdge, type EdgeClient } from "../support/edge-clients.ts";
import { eventually } from "../support/eventually.ts";
import { auditMesh, titleOf } from "../support/mesh-audit.ts";
import { orderState } from "../support/state-names.ts";
import { checkInvariants } from "./check-invariants.ts";
import type { CrashPoint } from "./crash-points.ts";
import { ORDER_SERVICES, type FaultMesh } from "./fault-mesh.ts";
import { restart } from "./faults.ts";
import { COORDINATION, insist, type PlacedOrder } from "./place-orders.ts";

/** What became of one point. */
export interface PointResult {
  readonly id: string;
  readonly fault: string | undefined;
  /** From the crash until the orders of the point were settled. */
  readonly settledMs: number | undefined;
}

const REACH_MS = 20_000;
const SETTLE_MS = 60_000;
/** The second is declined, so that something is given back as well. */
const TOKENS = ["tok_visa", "tok_declined", "tok_visa", "tok_visa"];

/**
 * At each point in turn: the service kills itself there, is started again, and the orders that were under way end. Then
 * the invariants are checked, but for what Kafka holds: that is for the end of the run.
 */
export async function playPoint(
  world: FaultMesh,
  point: CrashPoint,
): Promise<PointResult> {
  using client = connectToEdge(world.edge, "gRPC");
  const { id } = point;
  try {
    const sku = await stockUp(client);
    const pid = world.mesh.pids()[point.service];
    await world.control.tell({ crash: point }, [point.service]);
    const placing = placeAll(client, point, sku);
    // Told of below, also when the point is not reached.
    placing.catch(() => undefined);
    await eventually(
      "the point is reached",
      () => world.control.hasCrashed(),
      REACH_MS,
    );
    await startAgain(world, point.service, pid);
    const crashedAt = performance.now();
    const placed = await placing;
    await settle(client, placed);
    const settledMs = Math.round(performance.now() - crashedAt);
    await auditMesh(world.addresses, insist);
    await checkInvariants(world.mesh, placed, { kafka: false });
    return { id, fault: undefined, settledMs };
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return { id, fault, settledMs: undefined };
  } finally {
    await world.control.tell({ crash: undefined }, ORDER_SERVICES);
  }
}

async function stockUp(client: EdgeClient): Promise<string> {
  const sku = `point-${randomUUID()}`;
  const request = {
    sku,
    openingStock: 100n,
    product: {
      title: titleOf(100n),
      price: { currencyCode: "EUR", units: 7n },
    },
    requestId: randomUUID(),
  };
  await insist(() => client.inventory.createProduct(request));
  return sku;
}

function placeAll(
  client: EdgeClient,
  { mode }: CrashPoint,
  sku: string,
): Promise<PlacedOrder[]> {
  return Promise.all(
    TOKENS.map(async (paymentToken) => {
      const requestId = randomUUID();
      const order = {
        lines: [{ sku, quantity: 1 }],
        paymentToken,
        coordination: COORDINATION[mode],
      };
      const name = await insist(async () => {
        const answer = await client.orders.createOrder({ order, requestId });
        return answer.order?.name ?? "";
      });
      return { requestId, names: [name] };
    }),
  );
}

/** At once: the supervisor would wait longer after each of so many deaths. */
async function startAgain(
  { mesh }: FaultMesh,
  service: string,
  pid: number | undefined,
): Promise<void> {
  await eventually(`${service} is dead`, () => mesh.pids()[service] !== pid);
  if (mesh.pids()[service] === undefined) await restart(mesh, service);
}

async function settle(
  client: EdgeClient,
  placed: readonly PlacedOrder[],
): Promise<void> {
  const ends = await Promise.all(
    placed.map(async ({ names: [name = ""] }) => {
      let state: State = State.UNSPECIFIED;
      await eventually(
        `${name} is settled`,
        async () => {
          state = await insist(async () => {
            const { order } = await client.orders.getOrder({ name });
            return order?.state ?? State.UNSPECIFIED;
          });
          return state === State.COMPLETED || state === State.REJECTED;
        },
        SETTLE_MS,
      );
      return orderState(state);
    }),
  );
  // Whatever crashed, the customers get what they ordered and can pay.
  const wanted = TOKENS.map((token) =>
    token === "tok_declined" ? "REJECTED" : "COMPLETED",
  );
  if (ends.join() !== wanted.join()) {
    throw new Error(`the orders ended ${ends.join(", ")}`);
  }
}
