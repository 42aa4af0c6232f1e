import { z } from "zod";
import { DomainError } from "../runtime/errors.ts";
import type { Caller } from "./caller.ts";
import type { Policy } from "./policy.ts";

/** Headers that carry an identity inside the mesh. The edge removes them from whatever comes from outside. */
export const identityHeaders = {
  /** The verified token's claims, base64url of JSON. Believed from the peer `edge` alone. */
  claims: "x-weft-claims",
  /** The tenant that a service acts for. Believed from services alone. */
  tenant: "x-weft-tenant",
  /** The user that a service acts for. Believed from services alone. */
  subject: "x-weft-subject",
} as const;

/** The most UTF-16 units that a claim may have. The edge refuses a token with more, so that no service has to. */
export const longestClaims = { sub: 255, tenant: 63, scope: 4096 } as const;

const claimsShape = z.object({
  sub: z.string().min(1).max(longestClaims.sub),
  tenant: z.string().min(1).max(longestClaims.tenant),
  scope: z.string().max(longestClaims.scope).default(""),
});

const noScopes: ReadonlySet<string> = new Set();

// The edge sends the same token's claims with every call of a client; parsing them costs 6 us. Bounded.
const parsedClaims = new Map<string, Caller>();
const parsedClaimsLimit = 1_000;

/**
 * Decides who makes a call and whether the method's policy lets them. `header` reads a request header.
 *
 * @throws DomainError UNAUTHENTICATED, SCOPE_MISSING or CALLER_NOT_ALLOWED.
 */
export function authorize(
  policy: Policy,
  peer: string | undefined,
  header: (name: string) => string | undefined,
): Caller {
  if (peer === undefined) {
    throw unauthenticated("the connection has no mesh identity (mTLS)");
  }
  if (peer === "edge") {
    return authorizeUser(policy, header);
  }
  if (!policy.callers.has(peer)) {
    throw callerNotAllowed(peer);
  }
  const tenant = header(identityHeaders.tenant);
  if (!tenant) {
    throw unauthenticated(`${peer} must say which tenant it acts for`);
  }
  return {
    peer,
    tenant,
    subject: header(identityHeaders.subject) ?? peer,
    scopes: noScopes,
  };
}

function authorizeUser(
  policy: Policy,
  header: (name: string) => string | undefined,
): Caller {
  if (policy.access === "service") {
    throw callerNotAllowed("edge");
  }
  const claims = header(identityHeaders.claims);
  if (claims === undefined) {
    if (policy.access === "public") {
      return { peer: "edge", tenant: "", subject: "", scopes: noScopes };
    }
    throw unauthenticated("a valid token is required");
  }
  const caller = parseClaims(claims);
  for (const scope of policy.scopes) {
    if (!caller.scopes.has(scope)) {
      throw new DomainError({
        code: "permission_denied",
        reason: "SCOPE_MISSING",
        message: `the token lacks the scope ${scope}`,
        metadata: { scope },
      });
    }
  }
  return caller;
}

function parseClaims(encoded: string): Caller {
  const known = parsedClaims.get(encoded);
  if (known) {
    return known;
  }
  const json = Buffer.from(encoded, "base64url").toString("utf8");
  const result = claimsShape.safeParse(parseJson(json));
  if (!result.success) {
    throw unauthenticated("the token's claims can't be read");
  }
  const { sub, tenant, scope } = result.data;
  const caller: Caller = {
    peer: "edge",
    tenant,
    subject: sub,
    scopes: new Set(scope.split(" ").filter(Boolean)),
  };
  if (parsedClaims.size >= parsedClaimsLimit) {
    parsedClaims.clear();
  }
  parsedClaims.set(encoded, caller);
  return caller;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw unauthenticated("the token's claims are not JSON", error);
  }
}

function unauthenticated(why: string, cause?: unknown): DomainError {
  return new DomainError({
    code: "unauthenticated",
    reason: "UNAUTHENTICATED",
    message: why,
    cause,
  });
}

function callerNotAllowed(peer: string): DomainError {
  return new DomainError({
    code: "permission_denied",
    reason: "CALLER_NOT_ALLOWED",
    message: `${peer} may not call this method`,
    metadata: { peer },
  });
}
