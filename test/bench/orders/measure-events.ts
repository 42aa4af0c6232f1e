import { eventually } from "../../support/eventually.ts";
import { asAdmin } from "../../faults/as-admin.ts";
import type { BenchMesh } from "./bench-mesh.ts";
import { paceOrders } from "./order-load.ts";

const EVENTS_PER_ORDER = 7;
const DRAINED = 20_000;

export interface EventFigures {
  /** From the row in the outbox, before its commit, until Kafka's acknowledgement is stored. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly drainedPerSecond: number;
}

/** How long events wait at 300 a second, and how fast a backlog is published. */
export async function measureEvents(
  world: BenchMesh,
  skus: readonly string[],
): Promise<EventFigures> {
  await waitPublished(world);
  const since = new Date();
  await paceOrders(world, {
    skus,
    perSecond: Math.round(300 / EVENTS_PER_ORDER),
    ms: 10_000,
  });
  await waitPublished(world);
  const waits = await waitsSince(world, since);
  return { ...waits, drainedPerSecond: await drainBacklog(world) };
}

function waitPublished({ mesh }: BenchMesh): Promise<void> {
  return eventually(
    "every event is published",
    () =>
      asAdmin(mesh, async (admin) => {
        const { rows } = await admin.query<{ left: boolean }>(`
          select exists (select from orders.outbox where published_at is null)
            or exists (select from inventory.outbox where published_at is null)
            or exists (select from payment.outbox where published_at is null) as left
        `);
        return rows[0]?.left === false;
      }),
    60_000,
  );
}

async function waitsSince({ mesh }: BenchMesh, since: Date) {
  return asAdmin(mesh, async (admin) => {
    const { rows } = await admin.query<{ p50: number; p99: number }>(
      `select
         extract(epoch from percentile_cont(0.5) within group (order by wait))::float8 * 1000 as p50,
         extract(epoch from percentile_cont(0.99) within group (order by wait))::float8 * 1000 as p99
       from (
         select published_at - created_at as wait from orders.outbox where created_at > $1
         union all
         select published_at - created_at from inventory.outbox where created_at > $1
         union all
         select published_at - created_at from payment.outbox where created_at > $1
       ) as waits`,
      [since],
    );
    const { p50 = NaN, p99 = NaN } = rows[0] ?? {};
    return { p50Ms: Math.round(p50), p99Ms: Math.round(p99) };
  });
}

/** Events that nobody in the mesh consumes, so that only the relay is measured. */
async function drainBacklog(world: BenchMesh): Promise<number> {
  await asAdmin(world.mesh, (admin) =>
    admin.query(
      `insert into inventory.outbox (id, slot, type, aggregate_id, tenant, occurred_at, payload)
       select uuidv7(), n % 64, 'weft.inventory.v1.StockAdjusted', 'bench-' || n % 1000, 'bench',
         clock_timestamp(), decode(repeat('00', 100), 'hex')
       from generate_series(1, $1) as n`,
      [DRAINED],
    ),
  );
  const startedAt = performance.now();
  await waitPublished(world);
  return Math.round(DRAINED / ((performance.now() - startedAt) / 1000));
}
