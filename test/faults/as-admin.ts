import pg from "pg";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";
import { eventually } from "../support/eventually.ts";

/** Works in the mesh's database as its superuser, who sees every service's schema. */
export async function asAdmin<T>(
  mesh: Mesh,
  work: (admin: pg.Client) => Promise<T>,
): Promise<T> {
  const url = new URL(mesh.components.postgres.url);
  url.pathname = new URL(mesh.databaseUrls["order"] ?? url).pathname;
  const admin = await connect(url.href);
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

/** As soon as Postgres takes connections: another fault of the plan may have made it recover just now. */
async function connect(connectionString: string): Promise<pg.Client> {
  let connected: pg.Client | undefined;
  const open = async () => {
    const admin = new pg.Client({
      connectionString,
      connectionTimeoutMillis: 30_000,
    });
    // A fault that ends this connection too is told of by the query that fails.
    admin.on("error", () => undefined);
    try {
      await admin.connect();
      connected = admin;
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === RECOVERING) return false;
      throw error;
    }
  };
  await eventually("Postgres takes a connection", open, 60_000);
  if (connected === undefined) throw new Error("there is no connection");
  return connected;
}

/** cannot_connect_now */
const RECOVERING = "57P03";
