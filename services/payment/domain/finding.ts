import type { Difference, FindingKind } from "./compare-books.ts";

/** What a difference is about. */
export interface FindingSubject {
  readonly tenant: string;
  readonly paymentId: string | undefined;
  /** Empty where the provider has nothing. */
  readonly reference: string;
}

/** A difference that was found, and may have been resolved since. */
export interface Finding extends FindingSubject, Difference {
  readonly id: string;
  readonly kind: FindingKind;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly resolvedAt: Date | undefined;
}
