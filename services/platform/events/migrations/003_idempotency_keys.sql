-- Requests that their callers named, and the first answer to each. A row that joins the transaction of its effect is
-- inserted once, complete; one that is in flight is held under a lease, and each new holder has a higher epoch.
create table idempotency_keys (
  tenant text not null,
  operation text not null,
  key uuid not null,
  request_hash bytea not null,
  epoch integer not null,
  -- Null once it is answered.
  leased_until timestamptz,
  -- google.rpc.Code, and the response message or the google.rpc.Status, as bytes.
  status smallint,
  answer bytea,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant, operation, key),
  check ((leased_until is null) = (status is not null)),
  check ((status is null) = (answer is null))
);

-- Rows come in the order of their age: a few pages of index for millions of them.
create index idempotency_keys_age on idempotency_keys using brin (created_at) with (autosummarize = on);
