import type { Executor } from "../../platform/data/executor.ts";
import type { Difference, FindingKind } from "../domain/compare-books.ts";
import type { Finding, FindingSubject } from "../domain/finding.ts";

/** Stores a difference, or what became of the one that is open about the same payment. True if it is new. */
export async function saveFinding(
  db: Executor,
  subject: FindingSubject,
  { kind, ours, theirs }: Difference,
  { id, at }: { readonly id: string; readonly at: Date },
): Promise<boolean> {
  const { rows } = await db.query<{ id: string }>(
    `insert into reconciliation_findings
       (id, tenant, payment_id, provider_reference, kind, ours, theirs, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
     on conflict (tenant, coalesce(payment_id::text, provider_reference)) where resolved_at is null
     do update
     set kind = excluded.kind,
         ours = excluded.ours,
         theirs = excluded.theirs,
         updated_at = excluded.updated_at
     returning id`,
    [
      id,
      subject.tenant,
      subject.paymentId ?? null,
      subject.reference,
      kind,
      ours,
      theirs,
      at,
    ],
  );
  return rows[0]?.id === id;
}

/** Notes that the two agree about a payment. */
export async function resolveFinding(
  db: Executor,
  id: string,
  at: Date,
): Promise<void> {
  await db.query(
    `update reconciliation_findings
     set resolved_at = $2
     where id = $1
       and resolved_at is null`,
    [id, at],
  );
}

/** Open findings that were last looked at before a time, oldest first. */
export async function findOpenFindings(
  db: Executor,
  before: Date,
  limit: number,
): Promise<Finding[]> {
  const { rows } = await db.query<FindingRow>(
    `select ${columns}
     from reconciliation_findings
     where resolved_at is null
       and updated_at < $1
     order by updated_at
     limit $2`,
    [before, limit],
  );
  return rows.map(toFinding);
}

/** How many findings are open, in all tenants. */
export async function countOpenFindings(db: Executor): Promise<number> {
  const { rows } = await db.query<{ open: bigint }>(
    `select count(*) as open
     from reconciliation_findings
     where resolved_at is null`,
  );
  return Number(rows[0]?.open ?? 0n);
}

/** A page of a tenant's findings, newest first. */
export async function listFindings(
  db: Executor,
  query: {
    readonly tenant: string;
    readonly showResolved: boolean;
    readonly after: Pick<Finding, "createdAt" | "id"> | undefined;
    readonly limit: number;
  },
): Promise<Finding[]> {
  const { rows } = await db.query<FindingRow>(
    `select ${columns}
     from reconciliation_findings
     where tenant = $1
       and ($2 or resolved_at is null)
       and ($3::timestamptz is null or (created_at, id) < ($3, $4::uuid))
     order by created_at desc, id desc
     limit $5`,
    [
      query.tenant,
      query.showResolved,
      query.after?.createdAt ?? null,
      query.after?.id ?? null,
      query.limit,
    ],
  );
  return rows.map(toFinding);
}

const columns = `id, tenant, payment_id, provider_reference, kind, ours, theirs,
       created_at, updated_at, resolved_at`;

interface FindingRow {
  readonly id: string;
  readonly tenant: string;
  readonly payment_id: string | null;
  readonly provider_reference: string;
  readonly kind: FindingKind;
  readonly ours: string;
  readonly theirs: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly resolved_at: Date | null;
}

function toFinding(row: FindingRow): Finding {
  return {
    id: row.id,
    tenant: row.tenant,
    paymentId: row.payment_id ?? undefined,
    reference: row.provider_reference,
    kind: row.kind,
    ours: row.ours,
    theirs: row.theirs,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    resolvedAt: row.resolved_at ?? undefined,
  };
}
