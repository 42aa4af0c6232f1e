import pg from "pg";
import type { Mesh } from "../../deploy/local/mesh-handle.ts";

/** Works in the mesh's database as its superuser, who sees every service's schema. */
export async function asAdmin<T>(
  mesh: Mesh,
  work: (admin: pg.Client) => Promise<T>,
): Promise<T> {
  const url = new URL(mesh.components.postgres.url);
  url.pathname = new URL(mesh.databaseUrls["order"] ?? url).pathname;
  const admin = new pg.Client({
    connectionString: url.href,
    connectionTimeoutMillis: 30_000,
  });
  // A fault that ends this connection too is told of by the query that fails.
  admin.on("error", () => undefined);
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}
