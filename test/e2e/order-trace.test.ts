import { describe, it } from "vitest";
import { clientKinds, type ClientKind } from "../support/edge-clients.ts";
import { eventually } from "../support/eventually.ts";
import { findTrace, findTraceIds, type Span } from "../support/jaeger.ts";
import { openShop, type Shop } from "../support/mesh-shop.ts";

const RPC = "weft.order.v1.OrderService/CreateOrder";

/** What the edge calls the call. */
const edgeSpan = (kind: ClientKind) =>
  kind.startsWith("REST") ? "POST /v1/orders" : RPC;

/** Batches of spans are sent every half second by services, and by Envoy every five. */
const ARRIVED = { timeout: 20_000, interval: 100 };

describe.each(clientKinds)("an order by %s", { concurrent: true }, (kind) => {
  it("is one trace over the edge, every service and Kafka, without a gap", async ({
    expect,
  }) => {
    using shop = await openShop(kind);
    const { name } = await shop.settled(shop.order(1));
    const traceId = await traceIdOf(shop, name);

    const { jaegerQueryUrl } = shop.mesh;
    const tree = async () => treeOf(await findTrace(jaegerQueryUrl, traceId));

    await expect.poll(tree, ARRIVED).toBe(completedOrder(edgeSpan(kind)));
    expect(await tracesAbout(shop, name)).toEqual([traceId]);
  });
});

/** What a completed order leaves in Jaeger: a span a line, children indented, siblings by name. */
function completedOrder(call: string): string {
  return `
edge server ${call}
  edge client async envoy.service.ratelimit.v3.RateLimitService.ShouldRateLimit egress
  order server weft.order.v1.OrderService/CreateOrder
    order internal settle order
      order client weft.inventory.v1.InventoryService/Confirm
        inventory server weft.inventory.v1.InventoryService/Confirm
          inventory producer send weft.inventory.v1.StockConfirmed
            order consumer process weft.inventory.v1.StockConfirmed
      order client weft.inventory.v1.InventoryService/Reserve
        inventory server weft.inventory.v1.InventoryService/Reserve
          inventory producer send weft.inventory.v1.StockReserved
            order consumer process weft.inventory.v1.StockReserved
      order client weft.payment.v1.PaymentService/Authorize
        payment server weft.payment.v1.PaymentService/Authorize
          payment producer send weft.payment.v1.PaymentAuthorized
            order consumer process weft.payment.v1.PaymentAuthorized
      order client weft.payment.v1.PaymentService/Capture
        payment server weft.payment.v1.PaymentService/Capture
          payment producer send weft.payment.v1.PaymentCaptured
            order consumer process weft.payment.v1.PaymentCaptured
      order producer send weft.order.v1.OrderCompleted
        order consumer process weft.order.v1.OrderCompleted
      order producer send weft.order.v1.OrderConfirmed
        order consumer process weft.order.v1.OrderConfirmed
    order producer send weft.order.v1.OrderPlaced
      order consumer process weft.order.v1.OrderPlaced
`.trim();
}

async function traceIdOf(shop: Shop, order: string): Promise<string> {
  let traceId: string | undefined;
  await eventually("the order has an event in its timeline", async () => {
    traceId = (await shop.get(order)).timeline[0]?.traceId;
    return traceId !== undefined;
  });
  return traceId ?? "";
}

/** Every trace in which some service says that a span is about this order. */
async function tracesAbout(shop: Shop, order: string): Promise<string[]> {
  const { jaegerQueryUrl } = shop.mesh;
  const id = order.slice("orders/".length);
  const found = await Promise.all([
    findTraceIds(jaegerQueryUrl, "order", { order: id }),
    ...["order", "inventory", "payment"].map((service) =>
      findTraceIds(jaegerQueryUrl, service, {
        "messaging.kafka.message.key": id,
      }),
    ),
  ]);
  return [...new Set(found.flat())];
}

/**
 * Spans as indented lines below their parents; one whose parent is missing stands at the margin, with a note. Database
 * spans are left out and their children drawn below their parents: how many transactions a step takes is its own affair.
 */
function treeOf(spans: readonly Span[]): string {
  const byId = new Map(spans.map((span) => [span.id, span]));
  const drawnParent = (span: Span): string | undefined => {
    const parent = span.parentId ? byId.get(span.parentId) : undefined;
    return parent && isDatabase(parent) ? drawnParent(parent) : span.parentId;
  };
  const isOrphan = ({ parentId }: Span) =>
    parentId !== undefined && !byId.has(parentId);
  const drawn = spans.filter((span) => !isDatabase(span) || isOrphan(span));
  const below = (parent: string | undefined, indent: string): string[] =>
    drawn
      .filter((span) =>
        parent === undefined
          ? span.parentId === undefined || isOrphan(span)
          : drawnParent(span) === parent,
      )
      .map((span) => ({
        id: span.id,
        line: `${labelOf(span)}${isOrphan(span) ? " (its parent is missing)" : ""}`,
      }))
      .toSorted((a, b) => (a.line < b.line ? -1 : 1))
      .flatMap(({ id, line }) => [indent + line, ...below(id, `${indent}  `)]);
  return below(undefined, "").join("\n");
}

function isDatabase({ name }: Span): boolean {
  return name.startsWith("postgres ");
}

function labelOf({ service, kind, name, tags }: Span): string {
  const event = tags["cloudevents.event_type"];
  const [verb = ""] = name.split(" ");
  return `${service} ${kind} ${event === undefined ? name : `${verb} ${String(event)}`}`;
}
