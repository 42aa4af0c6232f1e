/** A request that whoever holds it may make, until it expires. */
export interface Signed {
  readonly method: "GET" | "PUT";
  readonly url: string;
  /** To be sent exactly so: they are signed too. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: Date;
}
