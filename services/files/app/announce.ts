import type { Transaction } from "../../platform/data/transaction.ts";
import type { FileEvent } from "../domain/file-event.ts";

/** Writes down an event in the transaction of the change that it tells of, for publication after the commit. */
export type Announce = (tx: Transaction, event: FileEvent) => Promise<void>;
