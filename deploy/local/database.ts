import pg from "pg";

const DATABASE = "weft";

export interface ServiceDatabase {
  readonly service: string;
  readonly schema: string;
  readonly password: string;
}

/**
 * Makes the database `weft` with a role and a schema of its own for each service
 * and nothing shared, and returns a URL by service name. May be repeated. The
 * search path is the role's, so it also holds behind a pooler in transaction mode.
 */
export async function provisionDatabase(
  adminUrl: string,
  services: readonly ServiceDatabase[],
): Promise<Record<string, string>> {
  await withClient(adminUrl, createDatabase);
  await withClient(inDatabase(adminUrl), async (client) => {
    await client.query(`revoke all on database ${DATABASE} from public`);
    await client.query("revoke all on schema public from public");
    for (const service of services) await provisionService(client, service);
  });
  return Object.fromEntries(
    services.map((s) => [s.service, serviceUrl(adminUrl, s)]),
  );
}

async function createDatabase(client: pg.Client): Promise<void> {
  const found = await client.query(
    "select 1 from pg_database where datname = $1",
    [DATABASE],
  );
  if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
}

async function provisionService(
  client: pg.Client,
  service: ServiceDatabase,
): Promise<void> {
  const role = client.escapeIdentifier(roleName(service.service));
  const schema = client.escapeIdentifier(service.schema);
  const found = await client.query(
    "select 1 from pg_roles where rolname = $1",
    [roleName(service.service)],
  );
  if (found.rowCount === 0) await client.query(`create role ${role}`);
  await client.query(
    `alter role ${role} login password ${client.escapeLiteral(service.password)}`,
  );
  await client.query(
    `alter role ${role} in database ${DATABASE} set search_path = ${schema}`,
  );
  await client.query(`grant connect on database ${DATABASE} to ${role}`);
  await client.query(
    `create schema if not exists ${schema} authorization ${role}`,
  );
}

function roleName(service: string): string {
  return `weft_${service}`;
}

function serviceUrl(adminUrl: string, service: ServiceDatabase): string {
  const url = new URL(inDatabase(adminUrl));
  url.username = roleName(service.service);
  url.password = service.password;
  return url.href;
}

function inDatabase(adminUrl: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  return url.href;
}

async function withClient(
  url: string,
  use: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 30_000,
  });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
