import type { Transaction } from "../../platform/data/transaction.ts";
import type { SortJobEvent } from "../domain/sort-job-event.ts";

/** Writes down an event in the transaction of the change that it tells of, for publication after the commit. */
export type Announce = (tx: Transaction, event: SortJobEvent) => Promise<void>;
