import { Provider, type Configuration } from "oidc-provider";
import { grantDemoUser } from "./demo-user-grant.ts";
import {
  AUDIENCE,
  DEMO_CLIENT,
  DEMO_USER_GRANT,
  findDemoUser,
  TERMINAL_CLIENT_ID,
} from "./demo-users.ts";
import type { SigningKeys } from "./signing-keys.ts";

const TOKEN_SECONDS = 3_600;
/** Access tokens are JWTs only where they are made for a resource, which has to be a URI. */
const RESOURCE = "urn:weft:api";

export interface ProviderOptions {
  readonly url: string;
  readonly keys: SigningKeys;
  /** Every scope that a token may have. */
  readonly scopes: readonly string[];
  readonly clientSecret: string;
  readonly cookieKey: string;
  readonly deviceCodeSeconds: number;
}

/** An OpenID Connect provider of a few demo users: client credentials, the device flow, and the demo users' own grant. */
export function createProvider(options: ProviderOptions): Provider {
  const provider = new Provider(options.url, configuration(options));
  provider.registerGrantType(
    DEMO_USER_GRANT,
    (ctx) => grantDemoUser(provider, ctx, resourceOf(options)),
    ["scope", "user"],
  );
  return provider;
}

function configuration(options: ProviderOptions): Configuration {
  const { keys, scopes } = options;
  return {
    jwks: {
      keys: [
        keys.current,
        keys.next,
        ...(keys.previous ? [keys.previous] : []),
      ],
    },
    scopes: ["openid", "offline_access", ...scopes],
    clients: clients(scopes),
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    cookies: { keys: [options.cookieKey] },
    ttl: {
      AccessToken: TOKEN_SECONDS,
      ClientCredentials: TOKEN_SECONDS,
      DeviceCode: options.deviceCodeSeconds,
      Grant: 86_400,
      IdToken: TOKEN_SECONDS,
      Interaction: 600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      // Its own pages: any password, but only the names of demo users.
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        // Its own pages let a user agree to whatever is asked for; a token gets what the user may have.
        getResourceServerInfo: (ctx) => {
          const { info } = resourceOf(options);
          const user = findDemoUser(ctx.oidc.account?.accountId ?? "");
          return { ...info, scope: user?.scopes?.join(" ") ?? info.scope };
        },
      },
    },
    findAccount: (_ctx, name) =>
      findDemoUser(name) && {
        accountId: name,
        claims: async () => ({ sub: name }),
      },
    extraTokenClaims: (_ctx, token) => {
      if (token.kind === "ClientCredentials") {
        return { tenant: DEMO_CLIENT.tenant };
      }
      const user = findDemoUser(token.accountId);
      return user && { tenant: user.tenant, roles: user.roles };
    },
  };

  function clients(all: readonly string[]): Configuration["clients"] {
    return [
      {
        client_id: DEMO_CLIENT.id,
        client_secret: options.clientSecret,
        grant_types: ["client_credentials", DEMO_USER_GRANT],
        redirect_uris: [],
        response_types: [],
        scope: all.join(" "),
      },
      {
        client_id: TERMINAL_CLIENT_ID,
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: [
          "urn:ietf:params:oauth:grant-type:device_code",
          "refresh_token",
        ],
        redirect_uris: [],
        response_types: [],
        scope: ["openid", "offline_access", ...all].join(" "),
      },
    ];
  }
}

/** What the provider has to know of the API that tokens are for. */
export interface Resource {
  readonly identifier: string;
  readonly scopes: readonly string[];
  readonly info: {
    readonly scope: string;
    readonly audience: string;
    readonly accessTokenTTL: number;
    readonly accessTokenFormat: "jwt";
    readonly jwt: { readonly sign: { alg: "ES256"; kid: string } };
  };
}

function resourceOf({ scopes, keys }: ProviderOptions): Resource {
  return {
    identifier: RESOURCE,
    scopes,
    info: {
      scope: scopes.join(" "),
      audience: AUDIENCE,
      accessTokenTTL: TOKEN_SECONDS,
      accessTokenFormat: "jwt",
      jwt: { sign: { alg: "ES256", kid: keys.current.kid } },
    },
  };
}
