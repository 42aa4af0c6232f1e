import { Redis } from "ioredis";
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";
import { isConnectionLost } from "../../services/platform/data/database-errors.ts";
import { eventually } from "../support/eventually.ts";
import { asAdmin } from "./as-admin.ts";
import { NETWORK_FAULTS } from "./network-faults.ts";
import { runRival } from "./run-rival.ts";
import { stormGroups } from "./storm-groups.ts";
import type { FaultMesh } from "./fault-mesh.ts";
import type { FaultName, PlannedFault } from "./scenario.ts";

export type Inflict = (
  mesh: Mesh,
  forMs: number,
  world: FaultMesh,
) => Promise<void>;

/** Does it, and returns when it is over and whatever it hit is back. */
export async function inflict(
  world: FaultMesh,
  { fault, forMs }: PlannedFault,
): Promise<void> {
  await INFLICT[fault](world.mesh, forMs, world);
}

const INFLICT: Readonly<Record<FaultName, Inflict>> = {
  "kill order": (mesh) => kill(mesh, "order"),
  "kill inventory": (mesh) => kill(mesh, "inventory"),
  "kill payment": (mesh) => kill(mesh, "payment"),
  "kill payment-provider": (mesh) => kill(mesh, "payment-provider"),
  "restart order": (mesh) => restart(mesh, "order"),
  "restart inventory": (mesh) => restart(mesh, "inventory"),
  "restart payment": (mesh) => restart(mesh, "payment"),
  "pause order": (mesh, forMs) => pause(mesh, "order", forMs),
  "pause inventory": (mesh, forMs) => pause(mesh, "inventory", forMs),
  "pause payment": (mesh, forMs) => pause(mesh, "payment", forMs),
  "pause payment-provider": (mesh, forMs) =>
    pause(mesh, "payment-provider", forMs),
  "pause postgres": pausePostgres,
  "crash postgres": crashPostgres,
  "pause kafka": async (_, forMs, world) => {
    const pid = world.kafkaPid();
    if (pid !== undefined) await standStill([pid], forMs);
  },
  "terminate connections": terminateConnections,
  "hold stock locks": holdStockLocks,
  "flush redis": flushRedis,
  "pause redis": (mesh, forMs) => pause(mesh, "redis", forMs),
  "stop kafka": stopKafka,
  "rebalance storm": (mesh, forMs) => stormGroups(mesh, forMs),
  "idle in transaction": idleInTransaction,
  "two coordinators": (_, forMs, world) => runRival(world, forMs),
  "clock of order": (_, forMs, world) => jumpClock(world, "order", forMs),
  "clock of inventory": (_, forMs, world) =>
    jumpClock(world, "inventory", forMs),
  "clock of payment": (_, forMs, world) => jumpClock(world, "payment", forMs),
  ...NETWORK_FAULTS,
};

/** SIGKILL; the supervisor is left to find out. */
async function kill(mesh: Mesh, service: string): Promise<void> {
  const before = mesh.pids()[service];
  // Dead already, by another fault of the plan.
  if (before === undefined) return;
  process.kill(before, "SIGKILL");
  await eventually(
    `${service} runs again`,
    () => ![before, undefined].includes(mesh.pids()[service]),
    60_000,
  );
}

/** In an orderly way, unless another fault of the plan hits the service while it starts: then the supervisor goes on. */
export async function restart(mesh: Mesh, service: string): Promise<void> {
  await mesh.restart(service).catch(() => undefined);
  await eventually(
    `${service} runs again`,
    () => mesh.pids()[service] !== undefined,
    60_000,
  );
}

/** A process that stands still and then goes on as if nothing had happened: what a long GC or a frozen VM looks like. */
async function pause(mesh: Mesh, name: string, forMs: number): Promise<void> {
  const pid = mesh.pids()[name];
  if (pid === undefined) return;
  await standStill([pid], forMs);
}

async function pausePostgres(mesh: Mesh, forMs: number): Promise<void> {
  await standStill(await backends(mesh), forMs);
}

async function standStill(
  pids: readonly number[],
  forMs: number,
): Promise<void> {
  for (const pid of pids) signal(pid, "SIGSTOP");
  try {
    await delay(forMs);
  } finally {
    for (const pid of pids) signal(pid, "SIGCONT");
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended since.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A backend that dies makes Postgres drop every connection and recover from its log, like an immediate restart. */
async function crashPostgres(mesh: Mesh): Promise<void> {
  const [victim] = await backends(mesh);
  if (victim !== undefined) signal(victim, "SIGKILL");
  // As soon as it answers again.
  await backends(mesh);
}

/** The server processes of the services' connections. Asked again where another fault of the plan ends the question. */
async function backends(mesh: Mesh): Promise<number[]> {
  let pids: number[] = [];
  const ask = async () => {
    try {
      pids = await asAdmin(mesh, listBackends);
      return true;
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      return false;
    }
  };
  await eventually("Postgres tells its backends", ask, 60_000);
  return pids;
}

async function listBackends(admin: pg.Client): Promise<number[]> {
  const { rows } = await admin.query<{ pid: number }>(
    "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  return rows.map(({ pid }) => pid);
}

async function terminateConnections(mesh: Mesh, forMs: number): Promise<void> {
  for (const endsAt = Date.now() + forMs; Date.now() < endsAt;) {
    await unlessEnded("the storm", mesh, (admin) =>
      admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
      ),
    );
    await delay(300);
  }
}

/**
 * A transaction that was left open with every product locked, in the order in which the services lock them. Where it is
 * this one that a deadlock with theirs ends, it comes again.
 */
async function holdStockLocks(mesh: Mesh, forMs: number): Promise<void> {
  await unlessEnded("the locks", mesh, async (admin) => {
    await eventually("every product is locked", async () => {
      try {
        await admin.query("begin");
        await admin.query(
          "select 1 from inventory.stock order by tenant, sku for update",
        );
        return true;
      } catch (error) {
        await admin.query("rollback");
        if ((error as { code?: string }).code === DEADLOCK) return false;
        throw error;
      }
    });
    await delay(forMs);
    await admin.query("rollback");
  });
}

const DEADLOCK = "40P01";

async function flushRedis(mesh: Mesh): Promise<void> {
  const { redis } = mesh.components;
  if (redis === undefined) return;
  const client = new Redis(redis.url);
  try {
    await client.flushall();
  } finally {
    client.disconnect();
  }
}

/** An orderly stop, and later a start on the same data. */
async function stopKafka(
  _: Mesh,
  forMs: number,
  world: FaultMesh,
): Promise<void> {
  await world.stopKafka();
  await delay(forMs);
  // A busy machine may need longer than a start is given.
  await world.startKafka().catch(() => world.startKafka());
}

/** A transaction with a number of its own that does nothing: it holds back snapshots of the whole cluster. */
async function idleInTransaction(mesh: Mesh, forMs: number): Promise<void> {
  await unlessEnded("the idle transaction", mesh, async (admin) => {
    await admin.query("begin; select pg_current_xact_id()");
    await delay(forMs);
    await admin.query("rollback");
  });
}

/** Another fault of the plan may end the session first, and then this one is over. */
async function unlessEnded(
  what: string,
  mesh: Mesh,
  work: (admin: pg.Client) => Promise<unknown>,
): Promise<void> {
  await asAdmin(mesh, work).catch((error: unknown) => {
    if (!isConnectionLost(error)) throw error;
    console.log(`  ${what}: ended by another fault, ${String(error)}`);
  });
}

/** A minute ahead, then a minute behind, and right again. */
async function jumpClock(
  { control }: FaultMesh,
  service: string,
  forMs: number,
): Promise<void> {
  for (const offsetMs of [60_000, -60_000, 0]) {
    // Nobody listens while it is killed or stands still: it finds out later.
    await control.setClock(service, offsetMs);
    if (offsetMs !== 0) await delay(forMs / 2);
  }
}
