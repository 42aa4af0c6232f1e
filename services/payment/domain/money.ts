/** An amount in the minor units of an ISO 4217 currency: 1999 of `EUR` is 19.99 euros. */
export interface Money {
  readonly currency: string;
  readonly minorUnits: bigint;
}
