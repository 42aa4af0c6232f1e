/** A request that whoever holds it may make, until it expires. */
export interface Signed {
  readonly method: "GET" | "PUT";
  readonly url: string;
  /** To be sent exactly so: they are signed too. */
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: Date;
}

/** From where a signed request is sent: the object store may have another address there. */
export type Reach = "inside" | "outside";

export interface Signing {
  readonly at: Date;
  readonly seconds: number;
  readonly reach: Reach;
}
