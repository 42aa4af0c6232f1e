import type { Executor } from "../../platform/data/executor.ts";
import type { PageTokens } from "../../platform/rpc/page-token.ts";
import type { Order } from "../domain/order.ts";
import { listOrdersAfter, type OrderFilter } from "../store/orders.ts";

export interface ListOrdersDeps {
  readonly db: Executor;
  readonly pageTokens: PageTokens;
}

export interface OrderPage {
  readonly orders: readonly Order[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/**
 * Returns a page of the tenant's orders, newest first.
 *
 * @throws DomainError PAGE_TOKEN_INVALID.
 */
export async function listOrders(
  deps: ListOrdersDeps,
  filter: OrderFilter,
  page: { readonly size: number; readonly token: string },
): Promise<OrderPage> {
  const query = ["orders", filter.tenant, filter.customer, filter.states];
  const after = page.token
    ? cursorOf(deps.pageTokens.decode(query, page.token))
    : undefined;
  // One more than asked for tells whether another page follows.
  const found = await listOrdersAfter(deps.db, filter, after, page.size + 1);
  const orders = found.slice(0, page.size);
  const last = orders.at(-1);
  return {
    orders,
    nextPageToken:
      last && found.length > page.size
        ? deps.pageTokens.encode(query, [last.createdAt.toISOString(), last.id])
        : "",
  };
}

function cursorOf([createdAt = "", id = ""]: readonly string[]) {
  return { createdAt: new Date(createdAt), id };
}
