import type { Executor } from "../../platform/data/executor.ts";
import type { Balance } from "../domain/ledger.ts";
import {
  findBalances,
  findBalancesOfPayment,
} from "../store/ledger-balances.ts";

/** What is on each account of the tenant, or what one payment moved. */
export function getBalances(
  { db }: { readonly db: Executor },
  tenant: string,
  paymentId: string | undefined,
): Promise<Balance[]> {
  return paymentId === undefined
    ? findBalances(db, tenant)
    : findBalancesOfPayment(db, { tenant, id: paymentId });
}
