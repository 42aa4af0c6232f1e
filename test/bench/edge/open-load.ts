/** Calls that are sent whether earlier calls were answered or not, as callers who know nothing of each other send. */
export interface OpenLoad {
  readonly perSecond: number;
  readonly ms: number;
}
