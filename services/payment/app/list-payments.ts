import type { Executor } from "../../platform/data/executor.ts";
import type { Payment } from "../domain/payment.ts";
import * as store from "../store/payments.ts";

export interface ListPayments {
  readonly tenant: string;
  readonly orderId: string | undefined;
  readonly after: store.PageCursor | undefined;
  readonly pageSize: number;
}

export interface PaymentPage {
  readonly payments: readonly Payment[];
  /** Undefined on the last page. */
  readonly next: store.PageCursor | undefined;
}

/** A page of the tenant's payments, newest first. */
export async function listPayments(
  deps: { readonly db: Executor },
  { pageSize, ...query }: ListPayments,
): Promise<PaymentPage> {
  const found = await store.listPayments(deps.db, {
    ...query,
    limit: pageSize + 1,
  });
  const payments = found.slice(0, pageSize);
  const last = payments.at(-1);
  return { payments, next: found.length > pageSize ? last : undefined };
}
