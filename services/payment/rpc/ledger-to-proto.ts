import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  LedgerAccount as Account,
  type LedgerBalanceSchema,
  type LedgerEntrySchema,
} from "../../../gen/ts/weft/payment/v1/ledger_pb.ts";
import { moneyToProto } from "../../platform/rpc/money.ts";
import type {
  Balance,
  BookedPosting,
  LedgerAccount,
} from "../domain/ledger.ts";

/** A posting as the contract shows it. */
export function entryToProto(
  posting: BookedPosting,
): MessageInitShape<typeof LedgerEntrySchema> {
  const { currency, amount: minorUnits } = posting;
  return {
    transactionId: posting.transactionId,
    payment: `payments/${posting.paymentId}`,
    account: accounts[posting.account],
    amount: moneyToProto({ currency, minorUnits }),
    createTime: timestampFromDate(posting.createdAt),
  };
}

/** A balance as the contract shows it. */
export function balanceToProto({
  account,
  currency,
  amount: minorUnits,
}: Balance): MessageInitShape<typeof LedgerBalanceSchema> {
  return {
    account: accounts[account],
    amount: moneyToProto({ currency, minorUnits }),
  };
}

const accounts = {
  provider_holds: Account.PROVIDER_HOLDS,
  customer_holds: Account.CUSTOMER_HOLDS,
  provider_cash: Account.PROVIDER_CASH,
  order_revenue: Account.ORDER_REVENUE,
  order_refunds: Account.ORDER_REFUNDS,
} as const satisfies Record<LedgerAccount, Account>;
