import type { Transaction } from "../../platform/data/transaction.ts";
import type { Product } from "../domain/product.ts";

/** Stores the answer to a named request in the transaction of its effect; throws where another request has the name. */
export type Answered = (tx: Transaction, product: Product) => Promise<void>;
