import type { ColumnKey, LineKey, PathKey } from "../sort-spec.ts";

/** How records get their keys, in a form that can be sent to a worker. */
export type KeyPlan = {
  /** Records can be found from any byte on, by their delimiter. Else reading begins where the last record ended. */
  readonly isAnywhere: boolean;
} & (
  | { readonly kind: "none" }
  | {
      readonly kind: "fields";
      readonly delimiter: number;
      readonly keys: readonly LineKey[];
      /** Of keys without a direction of their own. */
      readonly reverse: boolean;
    }
  | {
      readonly kind: "columns";
      readonly separator: number;
      /** Each key's column, from 0. */
      readonly keys: readonly (ColumnKey & { readonly index: number })[];
    }
  | { readonly kind: "paths"; readonly keys: readonly PathKey[] }
);
