import type { RouteTable } from "./route-table.ts";

/** The header that carries a verified token's claims into the mesh: base64url of JSON. Services believe it from `edge` only. */
export const CLAIMS_HEADER = "x-weft-claims";

/** Who everybody is where nobody is asked for a token: user and tenant. */
export const OPEN_CALLER = "demo";

/** What every caller is in development: the demo tenant's user, with all scopes of the contracts. */
export function developmentClaims(routes: RouteTable): string {
  const scopes = routes.services.flatMap((service) =>
    service.methods.flatMap((method) => method.scopes),
  );
  const claims = {
    sub: OPEN_CALLER,
    tenant: OPEN_CALLER,
    scope: [...new Set(scopes)].sort().join(" "),
  };
  return Buffer.from(JSON.stringify(claims)).toString("base64url");
}
