import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { inspect } from "node:util";
import type { Order } from "../../../gen/ts/weft/order/v1/order_pb.ts";
import type { Mesh } from "../mesh-handle.ts";
import { awaitTimeline } from "./await-timeline.ts";
import { stockCatalogue } from "./catalogue.ts";
import { demoOrders, faultsOf, type DemoOrder } from "./demo-orders.ts";
import { createEdgeClients, type EdgeClients } from "./edge-clients.ts";
import { awaitTrace } from "./jaeger-trace.ts";
import { nextSteps } from "./next-steps.ts";
import {
  describeOutcome,
  describeRequest,
  describeTimeline,
} from "./order-text.ts";
import { drawTrace } from "./trace-tree.ts";

/** After the last answer, for all orders together: a sound mesh needs less than 1 s. */
const TIMELINES_DEADLINE_MS = 20_000;

/** What of a mesh the demo needs. */
export type DemoMesh = Pick<Mesh, "edge" | "caFile" | "grpcurl" | "issuer"> & {
  readonly components: Pick<Mesh["components"], "jaeger">;
};

interface PlacedOrder {
  readonly asked: DemoOrder;
  readonly name: string;
  readonly answeredInMs: number;
}

/**
 * Places the demo's orders through the edge and prints what became of each, then
 * the commands to try next. Returns the exit status: 0 when every order ended as
 * it should. Rejects only when `signal` is aborted.
 */
export async function runDemo(
  mesh: DemoMesh,
  signal: AbortSignal,
  print: (line: string) => void = console.log,
): Promise<number> {
  if (mesh.edge === undefined) {
    print("The demo places its orders through the edge, and there is none.");
    return 1;
  }
  try {
    return await demonstrate(mesh, mesh.edge.url, signal, print);
  } catch (error) {
    signal.throwIfAborted();
    // The mesh goes on without it, so this is the end of the failure's way up.
    print(`\nThe demo failed: ${inspect(error)}`);
    return 1;
  }
}

async function demonstrate(
  mesh: DemoMesh,
  edgeUrl: string,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<number> {
  const ca = await readFile(mesh.caFile);
  const token =
    mesh.issuer && (await readFile(mesh.issuer.demoTokenFile, "utf8"));
  using clients = createEdgeClients({ url: edgeUrl, ca, token }, signal);
  const stock = await stockCatalogue(clients.inventory, clients.call);
  const demo = demoOrders(stock);
  print(`The demo: ${demo.length} orders through the edge, ${edgeUrl}`);
  // All first: their spans reach Jaeger while the first of them are shown.
  const placed: PlacedOrder[] = [];
  for (const asked of demo) placed.push(await place(clients, asked));

  const queryUrl = mesh.components.jaeger?.queryUrl;
  if (queryUrl === undefined) {
    print("There are no traces to show: Jaeger does not run in this mesh.");
  }
  const deadline = performance.now() + TIMELINES_DEADLINE_MS;
  let wrong = 0;
  for (const [index, one] of placed.entries()) {
    const { protocol, title, expected } = one.asked;
    const order = await awaitTimeline(clients, one.name, expected, deadline);
    const faults = faultsOf(order, expected);
    const trace = queryUrl ? await describeTrace(queryUrl, order, signal) : [];
    print(`\n${index + 1}  ${protocol}: ${title}`);
    print(describe(one, order, trace, faults));
    if (faults.length > 0) wrong += 1;
  }
  print(describeVerdict(wrong, placed.length));
  print(nextSteps({ ...mesh, edgeUrl, order: placed[0]?.name ?? "" }));
  return wrong === 0 ? 0 : 1;
}

async function place(
  clients: EdgeClients,
  asked: DemoOrder,
): Promise<PlacedOrder> {
  const startedAt = performance.now();
  const order = await clients.place(asked, randomUUID());
  if (order === undefined) {
    throw new Error(`${asked.protocol}: CreateOrder answered without an order`);
  }
  const answeredInMs = performance.now() - startedAt;
  return { asked, name: order.name, answeredInMs };
}

async function describeTrace(
  queryUrl: string,
  order: Order,
  signal: AbortSignal,
): Promise<string[]> {
  const id = order.timeline[0]?.traceId ?? "";
  if (id === "") return ["trace    none: its events carry no trace id"];
  const eventIds = order.timeline.map(({ eventId }) => eventId);
  const trace = await awaitTrace(queryUrl, { id, eventIds }, signal);
  if (trace.spans.length === 0) return [`trace    ${id} is not in Jaeger`];
  const note = trace.isComplete ? "" : ", incomplete: some spans are missing";
  return [
    `trace    ${id}${note}; start and duration in ms`,
    ...drawTrace(trace.spans).map((line) => `  ${line}`),
  ];
}

function describe(
  { asked, answeredInMs }: PlacedOrder,
  order: Order,
  trace: readonly string[],
  faults: readonly string[],
): string {
  return [
    describeRequest(asked),
    ...describeOutcome(order, answeredInMs),
    ...describeTimeline(order),
    ...trace,
    ...faults.map((fault) => `WRONG    ${fault}`),
  ]
    .map((line) => `   ${line}`)
    .join("\n");
}

function describeVerdict(wrong: number, orders: number): string {
  return wrong === 0
    ? `\nAll ${orders} orders ended as they should.`
    : `\n${wrong} of ${orders} orders did not end as they should: see WRONG above.`;
}
