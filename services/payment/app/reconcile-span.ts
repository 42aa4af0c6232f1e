import { isUuid } from "../../platform/runtime/ids.ts";
import type { ReportedIntent } from "../clients/provider-messages.ts";
import type { PaymentProvider, ReportSpan } from "../clients/provider.ts";
import {
  compareBooks,
  type FindingKind,
  type OurBooks,
} from "../domain/compare-books.ts";
import type { Payment } from "../domain/payment.ts";
import { providerUnavailable } from "../domain/payment-refusals.ts";
import { plainTenant } from "../domain/plain-tenant.ts";
import { refundsFound } from "../domain/reconcile.ts";
import { findBooks, listBooks } from "../store/books.ts";
import {
  findOpenFindings,
  resolveFinding,
  saveFinding,
} from "../store/findings.ts";
import { paymentOfIntent } from "./payment-of-intent.ts";
import { recordChanges, type RecordDeps } from "./record-changes.ts";

export interface ReconcileDeps extends RecordDeps {
  readonly provider: PaymentProvider;
}

/** A difference that a comparison found. */
export interface Found {
  readonly tenant: string;
  readonly kind: FindingKind;
  readonly isNew: boolean;
}

export interface Reconciled {
  /** Payments of the report. */
  readonly compared: number;
  readonly found: readonly Found[];
}

const pageSize = 100;

/**
 * Compares what the provider made in a span of time with our payments and the ledger, both ways, and stores what differs.
 * It remembers the payments of the span meanwhile, so a long one is better taken in pieces.
 *
 * @throws DomainError PROVIDER_UNAVAILABLE.
 */
export async function reconcileSpan(
  deps: ReconcileDeps,
  span: ReportSpan,
): Promise<Reconciled> {
  const seen = new Set<string>();
  const found: Found[] = [];
  let after: string | undefined;
  do {
    const page = await deps.provider.report(span, after);
    if (page.kind !== "answered") throw unavailable(page);
    found.push(...(await comparePage(deps, page.intents)));
    for (const { intent } of page.intents) seen.add(intent.reference ?? "");
    after = page.next;
  } while (after !== undefined);
  found.push(...(await compareOurs(deps, span, seen)));
  return { compared: seen.size, found };
}

async function comparePage(
  deps: ReconcileDeps,
  intents: readonly ReportedIntent[],
): Promise<Found[]> {
  const keys = intents.flatMap(({ metadata: { tenant, paymentId } }) =>
    isUuid(paymentId) ? [{ tenant, id: paymentId }] : [],
  );
  const books = await findBooks(deps.db, keys);
  const ours = new Map(
    books.map((entry) => [nameOf(entry.payment), entry] as const),
  );
  const found: Found[] = [];
  for (const theirs of intents) {
    const { tenant, paymentId } = theirs.metadata;
    const known =
      ours.get(`${tenant}/${paymentId}`) ?? (await findHashed(deps, theirs));
    found.push(...(await compare(deps, known, theirs)));
  }
  return found;
}

/** The payment of a tenant whose name the provider knows by its hash only. */
async function findHashed(
  { db }: ReconcileDeps,
  { metadata }: ReportedIntent,
): Promise<OurBooks | undefined> {
  const payment = await paymentOfIntent(db, metadata);
  return payment && (await findBooks(db, [payment]))[0];
}

/** What we hold or took must be at the provider too, whatever it counts to the span. */
async function compareOurs(
  deps: ReconcileDeps,
  span: ReportSpan,
  seen: ReadonlySet<string>,
): Promise<Found[]> {
  const found: Found[] = [];
  let after: Payment | undefined;
  do {
    const limit = pageSize;
    const books = await listBooks(deps.db, { ...span, after, limit });
    for (const ours of books) {
      const reference = ours.payment.providerReference ?? "";
      if (seen.has(reference)) continue;
      found.push(...(await compare(deps, ours, await lookUp(deps, reference))));
    }
    after = books.length === pageSize ? books.at(-1)?.payment : undefined;
  } while (after !== undefined);
  return found;
}

async function compare(
  deps: ReconcileDeps,
  ours: OurBooks | undefined,
  theirs: ReportedIntent | undefined,
): Promise<Found[]> {
  const difference = compareBooks(ours, theirs);
  if (difference === undefined) return [];
  const tenant = ours?.payment.tenant ?? theirs?.metadata.tenant ?? "";
  const reference =
    theirs?.intent.reference ?? ours?.payment.providerReference ?? "";
  const paymentId = ours?.payment.id;
  const isNew = await saveFinding(
    deps.db,
    { tenant, paymentId, reference },
    difference,
    { id: deps.newId(), at: deps.now() },
  );
  if (ours && theirs) await bookRefunds(deps, ours.payment, theirs);
  return [{ tenant, kind: difference.kind, isNew }];
}

/** What was given back at the provider is booked, and the next look finds that the two agree; all else is for people. */
async function bookRefunds(
  deps: ReconcileDeps,
  payment: Payment,
  { intent }: ReportedIntent,
): Promise<void> {
  if (refundsFound(payment, intent).length === 0) return;
  await recordChanges(deps, payment, (latest) => refundsFound(latest, intent));
}

/**
 * Looks again at findings that are open, oldest first, and closes those about which the two agree by now. Returns how many
 * it closed.
 *
 * @throws DomainError PROVIDER_UNAVAILABLE.
 */
export async function recheckFindings(
  deps: ReconcileDeps,
  before: Date,
  limit: number,
): Promise<number> {
  const open = await findOpenFindings(deps.db, before, limit);
  let closed = 0;
  for (const finding of open) {
    const { tenant, paymentId, reference } = finding;
    const theirs = await lookUp(deps, reference);
    const [ours] =
      paymentId === undefined
        ? [theirs && (await findHashed(deps, theirs))]
        : await findBooks(deps.db, [{ tenant, id: paymentId }]);
    if ((await compare(deps, ours, theirs)).length > 0) continue;
    await resolveFinding(deps.db, finding.id, deps.now());
    closed += 1;
  }
  return closed;
}

async function lookUp(
  { provider }: ReconcileDeps,
  reference: string,
): Promise<ReportedIntent | undefined> {
  if (reference === "") return undefined;
  const found = await provider.retrieve(reference);
  if (found.kind === "unknown") throw unavailable(found);
  return found.kind === "answered" ? found : undefined;
}

function nameOf({ tenant, id }: Payment): string {
  return `${plainTenant(tenant)}/${id}`;
}

function unavailable(outcome: { readonly kind: string }): Error {
  return providerUnavailable("report", new Error(outcome.kind));
}
