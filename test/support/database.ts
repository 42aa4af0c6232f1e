import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { inject } from "vitest";
import { migrate } from "../../services/platform/data/migrate.ts";
import { silentLogger } from "./silent-logger.ts";

export interface TestDatabase extends AsyncDisposable {
  /** Of the service's own role; its search path is the service's schema. */
  readonly url: string;
  /** Of the superuser, in the same database: for breaking things. */
  readonly adminUrl: string;
  close(): Promise<void>;
}

export interface SetupDatabaseOptions {
  /** Names the schema and the role, and finds `services/<service>/migrations`. */
  readonly service: string;
}

const PASSWORD = "test";

/**
 * A database of its own for a test file, with the service's role, schema and
 * migrations, as a deployment makes them. The first caller of a run migrates a
 * template; the others clone it, which takes about 50 ms.
 */
export async function setupDatabase(
  options: SetupDatabaseOptions,
): Promise<TestDatabase> {
  const adminUrl = inject("postgresUrl");
  const template = `template_${options.service}`;
  const name = `test_${options.service}_${randomBytes(6).toString("hex")}`;
  await withAdmin(adminUrl, async (admin) => {
    await ensureTemplate(admin, adminUrl, options.service, template);
    await admin.query(
      `create database ${quote(name)} template ${quote(template)}`,
    );
  });
  const close = (): Promise<void> =>
    withAdmin(adminUrl, async (admin) => {
      await admin.query(`drop database if exists ${quote(name)} with (force)`);
    });
  return {
    url: roleUrl(adminUrl, options.service, name),
    adminUrl: databaseUrl(adminUrl, name),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function ensureTemplate(
  admin: pg.Client,
  adminUrl: string,
  service: string,
  template: string,
): Promise<void> {
  // Test files run in several processes: one makes the template, the others wait for it.
  await admin.query("select pg_advisory_lock(hashtext($1))", [template]);
  const { rowCount } = await admin.query(
    "select 1 from pg_database where datname = $1",
    [template],
  );
  if (rowCount === 0) {
    try {
      await createTemplate(admin, adminUrl, service, template);
    } catch (error) {
      await admin.query(
        `drop database if exists ${quote(template)} with (force)`,
      );
      throw error;
    }
  }
  await admin.query("select pg_advisory_unlock(hashtext($1))", [template]);
}

async function createTemplate(
  admin: pg.Client,
  adminUrl: string,
  service: string,
  template: string,
): Promise<void> {
  const role = quote(roleOf(service));
  const schema = quote(service);
  await admin.query(`create role ${role} login password '${PASSWORD}'`);
  await admin.query(`alter role ${role} set search_path = ${schema}`);
  await admin.query(`create database ${quote(template)}`);
  await withAdmin(databaseUrl(adminUrl, template), async (inside) => {
    await inside.query(`create schema ${schema} authorization ${role}`);
  });
  const folder = fileURLToPath(
    new URL(`../../services/${service}/migrations`, import.meta.url),
  );
  await migrate({
    url: roleUrl(adminUrl, service, template),
    schema: service,
    logger: silentLogger,
    ...(existsSync(folder) ? { folder } : {}),
  });
}

async function withAdmin(
  url: string,
  work: (admin: pg.Client) => Promise<void>,
): Promise<void> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

function roleUrl(adminUrl: string, service: string, database: string): string {
  const url = new URL(databaseUrl(adminUrl, database));
  url.username = roleOf(service);
  url.password = PASSWORD;
  return url.href;
}

function databaseUrl(adminUrl: string, database: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return url.href;
}

function roleOf(service: string): string {
  return `role_${service}`;
}

function quote(name: string): string {
  return pg.escapeIdentifier(name);
}
