export interface DemoUser {
  readonly name: string;
  readonly tenant: string;
  readonly roles: readonly string[];
  /** The scopes that it may ask for; all that there are, when left out. */
  readonly scopes?: readonly string[];
}

/** Who there is on one machine. A real issuer knows its users itself; nothing of the mesh knows these. */
export const demoUsers: readonly DemoUser[] = [
  { name: "demo", tenant: "demo", roles: ["owner"] },
  {
    name: "alice",
    tenant: "demo",
    roles: ["shopper"],
    scopes: ["orders:read", "orders:write", "inventory:read", "payments:read"],
  },
  {
    name: "auditor",
    tenant: "demo",
    roles: ["auditor"],
    scopes: ["orders:read", "inventory:read", "payments:read"],
  },
  { name: "globex", tenant: "globex", roles: ["owner"] },
];

/** The client of programs, for `client_credentials`: it acts for itself, in this tenant. */
export const DEMO_CLIENT = { id: "weft-demo", tenant: "demo" } as const;
/** The client of people at a terminal, for the device flow; it has no secret. */
export const TERMINAL_CLIENT_ID = "weft-terminal";

/** What tokens are for: their `aud`. */
export const AUDIENCE = "weft";
/** The grant by which whoever has the demo client's secret gets a token of a demo user without a browser. */
export const DEMO_USER_GRANT = "urn:weft:grant-type:demo-user";

export function findDemoUser(name: string): DemoUser | undefined {
  return demoUsers.find((user) => user.name === name);
}
