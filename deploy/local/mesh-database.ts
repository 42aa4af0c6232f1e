import { provisionDatabase } from "./database.ts";
import { MESH_SERVICES } from "./mesh-services.ts";
import { persistentSecret } from "./secrets.ts";

/** Makes the database with what each service of the mesh has there; returns a URL by service name. May be repeated. */
export async function provisionServices(
  directory: string,
  adminUrl: string,
): Promise<Record<string, string>> {
  const services = MESH_SERVICES.filter((each) => "schema" in each).map(
    async ({ name, schema }) => ({
      service: name,
      schema,
      password: await persistentSecret(directory, `database-${name}`),
    }),
  );
  return provisionDatabase(adminUrl, await Promise.all(services));
}
