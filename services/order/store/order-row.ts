import type {
  Coordination,
  Order,
  OrderAttention,
  OrderFailure,
  OrderLine,
  OrderState,
  Undo,
} from "../domain/order.ts";

/** A row of `orders`, as a query that selects {@link orderColumns} answers it. */
export interface OrderRow {
  readonly id: string;
  readonly tenant: string;
  readonly customer: string;
  readonly state: OrderState;
  readonly lines: readonly StoredLine[];
  readonly expected_currency: string | null;
  readonly expected_minor_units: bigint | null;
  readonly total_currency: string | null;
  readonly total_minor_units: bigint | null;
  readonly payment_token: string | null;
  readonly failure: OrderFailure | null;
  readonly attention: StoredAttention | null;
  readonly undo: readonly Undo[];
  readonly coordination: Coordination;
  readonly epoch: bigint;
  readonly version: bigint;
  readonly attempts: number;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly settled_at: Date | null;
}

/** JSON has no dates: a time is its ISO 8601 text. */
type StoredAttention = Omit<OrderAttention, "since"> & { since: string };

/** JSON has no bigint: a price is its decimal digits. */
interface StoredLine {
  readonly sku: string;
  readonly quantity: number;
  readonly unitPrice?: string;
}

export const orderColumns = `id, tenant, customer, state, lines,
  expected_currency, expected_minor_units, total_currency, total_minor_units,
  payment_token, failure, attention, undo, coordination, epoch, version, attempts,
  created_at, updated_at, settled_at`;

export function orderOfRow(row: OrderRow): Order {
  return {
    id: row.id,
    tenant: row.tenant,
    customer: row.customer,
    lines: row.lines.map(lineOfStored),
    expectedTotal: moneyOf(row.expected_currency, row.expected_minor_units),
    total: moneyOf(row.total_currency, row.total_minor_units),
    paymentToken: row.payment_token ?? undefined,
    state: row.state,
    failure: row.failure ?? undefined,
    attention: row.attention
      ? { ...row.attention, since: new Date(row.attention.since) }
      : undefined,
    undo: row.undo,
    coordination: row.coordination,
    epoch: row.epoch,
    version: row.version,
    attempts: row.attempts,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    settledAt: row.settled_at ?? undefined,
  };
}

/** The lines as the column holds them. */
export function storedLines(lines: readonly OrderLine[]): string {
  return JSON.stringify(lines.map(lineColumn));
}

/** A line as the column holds it. */
export function lineColumn({
  sku,
  quantity,
  unitPrice,
}: OrderLine): StoredLine {
  return unitPrice === undefined
    ? { sku, quantity }
    : { sku, quantity, unitPrice: unitPrice.toString() };
}

function lineOfStored({ sku, quantity, unitPrice }: StoredLine): OrderLine {
  return unitPrice === undefined
    ? { sku, quantity }
    : { sku, quantity, unitPrice: BigInt(unitPrice) };
}

function moneyOf(currency: string | null, minorUnits: bigint | null) {
  return currency === null || minorUnits === null
    ? undefined
    : { currency, minorUnits };
}
