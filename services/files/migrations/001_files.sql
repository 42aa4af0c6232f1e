create table files (
  id uuid primary key,
  tenant text not null,
  owner text not null,
  request_id uuid,
  request_hash bytea not null,
  display_name text not null,
  content_type text not null,
  size_bytes bigint not null check (size_bytes >= 0),
  sha256 bytea,
  -- 'deleting' files are gone for their owner; their bytes are about to be.
  state text not null check (state in ('uploading', 'ready', 'deleting')),
  -- The size of every part but the last, where it is uploaded in parts.
  part_bytes bigint,
  -- The object store's name of the upload in parts.
  upload_id text,
  object_etag text,
  created_at timestamptz not null,
  uploaded_at timestamptz,
  expires_at timestamptz,
  -- When the sweeper takes it: an upload that nobody completed, a file that has expired, bytes that are to go.
  sweep_at timestamptz,
  check (state <> 'deleting' or sweep_at is not null)
);

create unique index files_request on files (tenant, owner, request_id) where request_id is not null;
create index files_newest on files (tenant, owner, created_at desc, id desc) where state <> 'deleting';
create index files_sweep on files (sweep_at) where sweep_at is not null;
