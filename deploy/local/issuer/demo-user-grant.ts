import { errors, type KoaContextWithOIDC, type Provider } from "oidc-provider";
import { findDemoUser } from "./demo-users.ts";
import type { Resource } from "./provider.ts";

/** Answers with a token of the demo user that the request names; with all its scopes, where none are named. */
export async function grantDemoUser(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  resource: Resource,
): Promise<void> {
  const { client, params } = ctx.oidc;
  const name = params?.["user"];
  const user = typeof name === "string" ? findDemoUser(name) : undefined;
  if (client === undefined || user === undefined) {
    throw new errors.InvalidGrant("there is no such demo user");
  }
  const allowed = user.scopes ?? resource.scopes;
  const wanted = wordsOf(params?.["scope"]) ?? allowed;
  const refused = wanted.filter((scope) => !allowed.includes(scope));
  if (refused.length > 0) {
    throw new errors.InvalidScope(
      `${user.name} may not have it`,
      refused.join(" "),
    );
  }
  const { AccessToken, Grant, ResourceServer } = provider;
  const scope = wanted.join(" ");
  const grant = new Grant({ accountId: user.name, clientId: client.clientId });
  grant.addResourceScope(resource.identifier, scope);
  const token = new AccessToken({
    accountId: user.name,
    client,
    grantId: await grant.save(),
    gty: "demo_user",
    scope,
  });
  token.resourceServer = new ResourceServer(resource.identifier, resource.info);
  ctx.oidc.entity("AccessToken", token);
  ctx.body = {
    access_token: await token.save(),
    expires_in: token.expiration,
    scope: token.scope,
    token_type: token.tokenType,
  };
}

function wordsOf(value: unknown): string[] | undefined {
  return typeof value === "string" && value.trim() !== ""
    ? value.trim().split(/\s+/)
    : undefined;
}
