import { existsSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { longestClaims } from "../../services/platform/rpc/authorize.ts";

/** On the way to a claim: the only member, whatever its name; where there are two, there is no such claim. */
export const ONLY_ONE = "*";

/** Where a claim is: its name, or the names on the way to it, such as `[realm_access, roles]` or `[organization, "*", id]`. */
const claim = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .transform((path) => (typeof path === "string" ? [path] : path));

/** A claim that is to be one text may be a list of one. */
const claims = z.strictObject({
  subject: claim.default(["sub"]),
  /** The claim that names the caller's tenant. */
  tenant: claim.default(["tenant"]),
  /**
   * The claim that names the plan by which the caller's rate limits are scaled. Unread when left out: whoever may say it
   * decides what its tenants may do.
   */
  plan: claim.optional(),
  /** Claims that hold scopes: words in a text (`scope`), or a list (`scp`, `roles`). */
  scopes: z.array(claim).default([["scope"]]),
  /** Cut from the front of a scope, such as Cognito's `weft/`; a scope without it does not count. */
  scopePrefix: z.string().default(""),
  /** Claims that hold roles or groups, such as `cognito:groups`: a list, or a text that is one of them. */
  roles: z.array(claim).default([]),
  /** The scopes that a role stands for. */
  grants: z.record(z.string(), z.array(z.string())).default({}),
});

const issuer = z
  .strictObject({
    /** For logs and statistics. */
    name: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/),
    /** The `iss` of its tokens, letter by letter. */
    issuer: z.string().min(1),
    /** Where its public keys are. */
    jwksUrl: z
      .url({ protocol: /^https?$/ })
      .refine(
        isProtected,
        "must be https: anybody on the way could forge keys",
      ),
    /** A PEM file of the authority that signed the certificate of `jwksUrl`; the system's authorities when left out. */
    caFile: z.string().default(systemAuthorities),
    /** One of them has to be in `aud`. May be empty only where `demand` says what else tells our tokens. */
    audiences: z.array(z.string().min(1)).default([]),
    /**
     * Claims that must have one of the given values: whole, or in a list, or as a word of `scope` or `scp`. Cognito's access
     * tokens have a `client_id` and no `aud`.
     */
    demand: z.record(z.string(), z.array(z.string()).min(1)).default({}),
    claims: claims.prefault({}),
    /** The tenants that it may speak for: all, when left out. */
    tenants: z.array(z.string()).optional(),
    /** The tenant of every caller, whatever the token says. */
    tenant: z.string().min(1).max(longestClaims.tenant).optional(),
    /** Not 0, which Envoy takes for its own default of 60. */
    clockSkewSeconds: z.number().int().min(1).max(300).default(30),
    /** A token that would be valid for longer is refused. */
    maxLifetimeSeconds: z.number().int().min(60).default(86_400),
    /** How old the copy of its keys may be: a new key has to be published so long before it signs. */
    keysRefreshSeconds: z.number().int().min(1).max(86_400).default(60),
  })
  .refine(
    ({ audiences, demand }) =>
      audiences.length > 0 || Object.keys(demand).length > 0,
    "names no audiences and demands no claim: it would take tokens made for others",
  );

/** An OpenID Connect issuer whose tokens the edge takes, and where they hold what. */
export type Issuer = z.infer<typeof issuer>;
/** The same as it is written down, with what may be left out. */
export type IssuerInput = z.input<typeof issuer>;

const issuersFile = z.strictObject({
  issuers: z.array(issuer).superRefine((issuers, context) => {
    for (const message of likenesses(issuers)) context.addIssue(message);
  }),
});

/** Fills in what was left out. Throws a ZodError that names every fault. */
export function toIssuer(input: IssuerInput): Issuer {
  return issuer.parse(input);
}

/** Reads a YAML or JSON file of issuers; throws an error that names every fault. */
export function readIssuers(file: string): Issuer[] {
  const result = issuersFile.safeParse(parse(readFileSync(file, "utf8")));
  if (result.success) return result.data.issuers;
  const faults = result.error.issues.map(
    ({ path, message }) => `  ${path.join(".")}: ${message}`,
  );
  throw new Error(`${file} is faulty:\n${faults.join("\n")}`);
}

/**
 * Refuses issuers that can't be told apart: of two with one `iss`, one's tokens would be judged by the other's tenants and
 * demands. Throws an error that names every such pair.
 */
export function checkDistinct(issuers: readonly Issuer[]): void {
  const faults = likenesses(issuers);
  if (faults.length > 0) throw new Error(faults.join("\n"));
}

function likenesses(issuers: readonly Issuer[]): string[] {
  return issuers.flatMap((issuer, index) =>
    issuers.slice(0, index).flatMap((other) => likeness(other, issuer)),
  );
}

function likeness(one: Issuer, other: Issuer): string[] {
  const [a, b] = [one, other].map(({ name, issuer }) => `${name} (${issuer})`);
  return (["issuer", "name"] as const)
    .filter((key) => one[key] === other[key])
    .map((key) => `the issuers ${a} and ${b} have the same ${key}`);
}

/** Envoy takes no peer's name without a file of authorities; these are Debian's (and its own image's), Fedora's, macOS's. */
function systemAuthorities(): string {
  const [usual] = SYSTEM_AUTHORITIES;
  return SYSTEM_AUTHORITIES.find((file) => existsSync(file)) ?? usual;
}

const SYSTEM_AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
] as const;

function isProtected(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || ["localhost", "127.0.0.1"].includes(hostname);
}
