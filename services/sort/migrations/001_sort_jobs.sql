create table sort_jobs (
  id uuid primary key,
  tenant text not null,
  owner text not null,
  request_id uuid,
  request_hash bytea not null,
  -- The job as its caller stated it, in the contract's bytes and without what is secret: what answers are made of.
  request bytea not null,
  -- The job as it is carried out.
  plan jsonb not null,
  state text not null check (state in (
    'queued', 'running', 'suspended', 'cancelling', 'succeeded', 'failed', 'cancelled'
  )),
  placement jsonb,
  progress jsonb,
  result jsonb,
  failure jsonb,
  version bigint not null,
  -- How often it was taken up.
  attempts integer not null default 0,
  -- Grows with every claim: what a former owner writes is refused.
  epoch bigint not null default 0,
  lease_until timestamptz,
  -- When a job that lost its process may be taken up again.
  due_at timestamptz,
  -- The temp folder that holds its runs: whoever has that folder goes on where it was.
  home text,
  created_at timestamptz not null,
  started_at timestamptz,
  updated_at timestamptz not null,
  ended_at timestamptz,
  check ((ended_at is null) = (state not in ('succeeded', 'failed', 'cancelled'))),
  check ((lease_until is null) = (state not in ('running', 'cancelling')))
);

create unique index sort_jobs_request on sort_jobs (tenant, request_id) where request_id is not null;
create index sort_jobs_newest on sort_jobs (tenant, created_at desc, id desc);
create index sort_jobs_queued on sort_jobs (tenant, created_at, id) where state = 'queued';
create index sort_jobs_leased on sort_jobs (lease_until) where lease_until is not null;
create index sort_jobs_ended on sort_jobs (ended_at) where ended_at is not null;
create index sort_jobs_suspended on sort_jobs (updated_at) where state = 'suspended';

-- Whose turn it is: the tenant that was served longest ago.
create table sort_turns (
  tenant text primary key,
  served_at timestamptz not null
);
