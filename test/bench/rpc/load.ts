/** Calls to make: so many at a time, for so long. */
export interface Load {
  readonly inFlight: number;
  readonly ms: number;
}

export interface LoadResult {
  readonly calls: number;
  readonly seconds: number;
  /** CPU that the client's process used. */
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
