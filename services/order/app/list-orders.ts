import type { Executor } from "../../platform/data/executor.ts";
import {
  tokenRefusal,
  type PageTokens,
} from "../../platform/rpc/page-token.ts";
import type { Order } from "../domain/order.ts";
import { readLog } from "../store/order-log.ts";
import { listOrdersAfter, type OrderFilter } from "../store/orders.ts";
import {
  isLost,
  ofStrings,
  positionOf,
  resumeTokenOf,
  toStrings,
  type LogPosition,
} from "./log-position.ts";

export interface ListOrdersDeps {
  readonly db: Executor;
  readonly pageTokens: PageTokens;
  readonly resumeTokens: PageTokens;
}

export interface OrderPage {
  readonly orders: readonly Order[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
  /** A watch from here on tells of all that a page of this list may have missed, or told too early. */
  readonly resumeToken: string;
}

/**
 * Returns a page of the tenant's orders, newest first. What the first page's snapshot did not see, the log tells, whenever
 * the pages are read: so a token is good as long as the log has it.
 *
 * @throws DomainError PAGE_TOKEN_INVALID, PAGE_TOKEN_EXPIRED.
 */
export async function listOrders(
  deps: ListOrdersDeps,
  filter: OrderFilter,
  page: { readonly size: number; readonly token: string },
): Promise<OrderPage> {
  const query = ["orders", filter.tenant, filter.customer, filter.states];
  const list = await beginOrGoOn(deps, query, page.token);
  // One more than asked for tells whether another page follows.
  const found = await listOrdersAfter(
    deps.db,
    filter,
    list.after,
    page.size + 1,
  );
  const orders = found.slice(0, page.size);
  const last = orders.at(-1);
  return {
    orders,
    nextPageToken:
      last && found.length > page.size
        ? deps.pageTokens.encode(query, [
            last.createdAt.toISOString(),
            last.id,
            ...toStrings(list.position),
          ])
        : "",
    resumeToken: resumeTokenOf(deps.resumeTokens, filter.tenant, list.position),
  };
}

interface ListSoFar {
  readonly position: LogPosition;
  readonly after: { createdAt: Date; id: string } | undefined;
}

async function beginOrGoOn(
  { db, pageTokens }: ListOrdersDeps,
  query: unknown,
  token: string,
): Promise<ListSoFar> {
  if (token === "") {
    return { position: positionOf(await readLog(db)), after: undefined };
  }
  const [createdAt = "", id = "", ...place] = pageTokens.decode(query, token);
  const position = ofStrings(place);
  if (isLost(position, await readLog(db))) {
    throw tokenRefusal("page", "EXPIRED");
  }
  return { position, after: { createdAt: new Date(createdAt), id } };
}
