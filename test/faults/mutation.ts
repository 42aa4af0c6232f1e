/** A bug to plant, and what has to catch it. */
export interface Mutation {
  /** What goes wrong in the field. */
  readonly hole: string;
  readonly file: string;
  /** Stands in the file once. */
  readonly find: string;
  readonly replace: string;
  /** Test files of which at least one test must fail, or crash points of the fault runs of which one must. */
  readonly caughtBy:
    { readonly tests: readonly string[] } | { readonly points: string };
}
