import type { Executor } from "../../platform/data/executor.ts";
import type { PageTokens } from "../../platform/rpc/page-token.ts";
import type { AuditRecord } from "../domain/operations.ts";
import type { Order } from "../domain/order.ts";
import { nextStep } from "../domain/saga.ts";
import { listAuditRecords } from "../store/audit-records.ts";
import { listUnsettledOrders } from "../store/unsettled-orders.ts";

export interface ListUnsettledDeps {
  readonly db: Executor;
  readonly pageTokens: PageTokens;
  readonly now: () => Date;
}

export interface PageRequest {
  readonly size: number;
  readonly token: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export interface StuckOrder {
  readonly order: Order;
  readonly step: string;
  readonly lastFailure: string;
  readonly dueAt: Date | undefined;
}

/** Which unsettled orders are meant. */
export type StuckQuery =
  | { readonly kind: "unchanged"; readonly forMs: number }
  | { readonly kind: "needs attention" };

/** A page of orders that do not end by themselves. @throws DomainError PAGE_TOKEN_INVALID. */
export async function listStuck(
  deps: ListUnsettledDeps,
  query: StuckQuery,
  tenant: string | undefined,
  page: PageRequest,
): Promise<Page<StuckOrder>> {
  const filter = {
    tenant,
    unchangedSince:
      query.kind === "unchanged"
        ? new Date(deps.now().getTime() - query.forMs)
        : undefined,
    needsAttention: query.kind === "needs attention",
  };
  const found = await readPage(
    deps.pageTokens,
    ["stuck orders", query, tenant],
    page,
    async (after, limit) => {
      const orders = await listUnsettledOrders(
        deps.db,
        filter,
        after && { updatedAt: after.time, id: after.id },
        limit,
      );
      return orders.map((each) => ({ ...each, id: each.order.id }));
    },
  );
  return {
    ...found,
    items: found.items.map(({ order, dueAt, lastFailure }) => ({
      order,
      dueAt,
      lastFailure: order.attention?.message ?? lastFailure,
      step: order.attention?.step ?? nextStep(order) ?? "",
    })),
  };
}

/** A page of what operators decided, the last first. @throws DomainError PAGE_TOKEN_INVALID. */
export function listAudit(
  deps: ListUnsettledDeps,
  orderId: string | undefined,
  page: PageRequest,
): Promise<Page<AuditRecord>> {
  return readPage(
    deps.pageTokens,
    ["order audit", orderId],
    page,
    (after, limit) =>
      listAuditRecords(
        deps.db,
        orderId,
        after && { at: after.time, id: after.id },
        limit,
      ),
  );
}

async function readPage<Item extends { id: string; cursor: string }>(
  pageTokens: PageTokens,
  query: unknown,
  { size, token }: PageRequest,
  read: (
    after: { time: string; id: string } | undefined,
    limit: number,
  ) => Promise<readonly Item[]>,
): Promise<Page<Item>> {
  const [time = "", id = ""] = token ? pageTokens.decode(query, token) : [];
  // One more than asked for tells whether another page follows.
  const found = await read(token ? { time, id } : undefined, size + 1);
  const items = found.slice(0, size);
  const last = items.at(-1);
  return {
    items,
    nextPageToken:
      last && found.length > size
        ? pageTokens.encode(query, [last.cursor, last.id])
        : "",
  };
}
