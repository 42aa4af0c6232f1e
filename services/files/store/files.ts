import type { Executor } from "../../platform/data/executor.ts";
import type { DeletionCause } from "../domain/file-event.ts";
import type { Owner, StoredFile } from "../domain/file.ts";

interface FileRow {
  readonly id: string;
  readonly tenant: string;
  readonly owner: string;
  readonly display_name: string;
  readonly content_type: string;
  readonly size_bytes: bigint;
  readonly sha256: Buffer | null;
  readonly state: StoredFile["state"];
  readonly part_bytes: bigint | null;
  readonly upload_id: string | null;
  readonly object_etag: string | null;
  readonly created_at: Date;
  readonly uploaded_at: Date | null;
  readonly expires_at: Date | null;
}

const columns = `id, tenant, owner, display_name, content_type, size_bytes, sha256, state,
  part_bytes, upload_id, object_etag, created_at, uploaded_at, expires_at`;

export interface UploadOrigin {
  readonly requestId: string | undefined;
  readonly requestHash: Buffer;
  /** When the upload counts as abandoned. */
  readonly sweepAt: Date;
}

/** Stores a file whose bytes are awaited. False where its owner has used the request id before. */
export async function insertFile(
  db: Executor,
  file: StoredFile,
  origin: UploadOrigin,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into files (
       id, tenant, owner, request_id, request_hash, display_name, content_type,
       size_bytes, state, part_bytes, created_at, expires_at, sweep_at
     )
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'uploading', $9, $10, $11, $12)
     on conflict (tenant, owner, request_id) where request_id is not null do nothing`,
    [
      file.id,
      file.tenant,
      file.owner,
      origin.requestId ?? null,
      origin.requestHash,
      file.displayName,
      file.contentType,
      file.sizeBytes,
      file.partBytes ?? null,
      file.createdAt,
      file.expiresAt ?? null,
      origin.sweepAt,
    ],
  );
  return rowCount === 1;
}

export async function findFileOfRequest(
  db: Executor,
  owner: Owner,
  requestId: string,
): Promise<{ file: StoredFile; requestHash: Buffer } | undefined> {
  const { rows } = await db.query<FileRow & { request_hash: Buffer }>(
    `select ${columns}, request_hash
     from files
     where tenant = $1
       and owner = $2
       and request_id = $3
       and state <> 'deleting'`,
    [owner.tenant, owner.subject, requestId],
  );
  const [row] = rows;
  return row && { file: toFile(row), requestHash: row.request_hash };
}

/** How many files an owner has, and how many of them are being uploaded. */
export async function countFiles(
  db: Executor,
  owner: Owner,
): Promise<{ all: number; uploading: number }> {
  const { rows } = await db.query<{ all: bigint; uploading: bigint }>(
    `select count(*) as all, count(*) filter (where state = 'uploading') as uploading
     from files
     where tenant = $1
       and owner = $2
       and state <> 'deleting'`,
    [owner.tenant, owner.subject],
  );
  return {
    all: Number(rows[0]?.all ?? 0n),
    uploading: Number(rows[0]?.uploading ?? 0n),
  };
}

export async function findFile(
  db: Executor,
  owner: Owner,
  id: string,
): Promise<StoredFile | undefined> {
  const { rows } = await db.query<FileRow>(
    `select ${columns}
     from files
     where id = $1
       and tenant = $2
       and owner = $3
       and state <> 'deleting'`,
    [id, owner.tenant, owner.subject],
  );
  return rows[0] && toFile(rows[0]);
}

/** An owner's next files, newest first, after that one; from the newest without one. */
export async function listFilesAfter(
  db: Executor,
  owner: Owner,
  after: { createdAt: Date; id: string } | undefined,
  limit: number,
): Promise<StoredFile[]> {
  const { rows } = await db.query<FileRow>(
    `select ${columns}
     from files
     where tenant = $1
       and owner = $2
       and state <> 'deleting'
       and ($3::timestamptz is null or (created_at, id) < ($3, $4::uuid))
     order by created_at desc, id desc
     limit $5`,
    [
      owner.tenant,
      owner.subject,
      after?.createdAt ?? null,
      after?.id ?? null,
      limit,
    ],
  );
  return rows.map(toFile);
}

/** Remembers, or forgets, the object store's name of an upload in parts; false where the file is not awaited any more. */
export async function setUploadId(
  db: Executor,
  id: string,
  before: string | undefined,
  uploadId: string | undefined,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update files
     set upload_id = $3
     where id = $1
       and state = 'uploading'
       and upload_id is not distinct from $2`,
    [id, before ?? null, uploadId ?? null],
  );
  return rowCount === 1;
}

/** Makes an awaited file ready; undefined where it is not awaited any more. */
export async function markReady(
  db: Executor,
  id: string,
  found: {
    readonly objectEtag: string;
    readonly sha256: Uint8Array | undefined;
    readonly at: Date;
  },
): Promise<StoredFile | undefined> {
  const { rows } = await db.query<FileRow>(
    `update files
     set state = 'ready', object_etag = $2, sha256 = $3, uploaded_at = $4,
         upload_id = null, sweep_at = expires_at
     where id = $1
       and state = 'uploading'
     returning ${columns}`,
    [
      id,
      found.objectEtag,
      found.sha256 ? Buffer.from(found.sha256) : null,
      found.at,
    ],
  );
  return rows[0] && toFile(rows[0]);
}

/** Takes a file from its owner; undefined where it is gone. What it returns is how it last stood. */
export async function markDeleting(
  db: Executor,
  owner: Owner,
  id: string,
  now: Date,
): Promise<StoredFile | undefined> {
  const { rows } = await db.query<FileRow>(
    `with doomed as (
       select ${columns}
       from files
       where id = $1
         and tenant = $2
         and owner = $3
         and state <> 'deleting'
       for update
     ),
     marked as (
       update files
       set state = 'deleting', sweep_at = $4, request_id = null
       from doomed
       where files.id = doomed.id
     )
     select ${columns}
     from doomed`,
    [id, owner.tenant, owner.subject, now],
  );
  return rows[0] && toFile(rows[0]);
}

/** Takes files whose time has come from their owners, and says why. */
export async function markOverdue(
  db: Executor,
  now: Date,
  limit: number,
): Promise<{ file: StoredFile; cause: DeletionCause }[]> {
  const { rows } = await db.query<FileRow>(
    `with overdue as materialized (
       select ${columns}
       from files
       where sweep_at <= $1
         and state <> 'deleting'
       order by sweep_at
       limit $2
       for update skip locked
     ),
     marked as (
       update files
       set state = 'deleting', request_id = null
       from overdue
       where files.id = overdue.id
     )
     select ${columns}
     from overdue`,
    [now, limit],
  );
  return rows.map((row) => ({
    file: toFile(row),
    cause: row.state === "ready" ? "expired" : "abandoned",
  }));
}

/** Files whose bytes are to go, put off for the next look in case this one fails. */
export async function claimDeleting(
  db: Executor,
  now: Date,
  retryAt: Date,
  limit: number,
): Promise<{ id: string }[]> {
  const { rows } = await db.query<{ id: string }>(
    `with due as materialized (
       select id
       from files
       where state = 'deleting'
         and sweep_at <= $1
       order by sweep_at
       limit $3
       for update skip locked
     )
     update files
     set sweep_at = $2
     from due
     where files.id = due.id
     returning files.id`,
    [now, retryAt, limit],
  );
  return [...rows];
}

/** Forgets a file whose bytes are gone. */
export async function forgetFile(db: Executor, id: string): Promise<void> {
  await db.query(`delete from files where id = $1 and state = 'deleting'`, [
    id,
  ]);
}

function toFile(row: FileRow): StoredFile {
  return {
    id: row.id,
    tenant: row.tenant,
    owner: row.owner,
    displayName: row.display_name,
    contentType: row.content_type,
    sizeBytes: row.size_bytes,
    sha256: row.sha256 ?? undefined,
    state: row.state,
    partBytes: row.part_bytes ?? undefined,
    uploadId: row.upload_id ?? undefined,
    objectEtag: row.object_etag ?? undefined,
    createdAt: row.created_at,
    uploadedAt: row.uploaded_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
  };
}
