/** An amount in whole minor units (cents, yen) of an ISO 4217 currency. */
export interface Money {
  readonly currency: string;
  readonly minorUnits: bigint;
}
