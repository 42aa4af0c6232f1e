-- What has come of a transaction's branch at this participant: its work is committed ('prepare', written by the prepared
-- transaction itself), or it was rolled back ('rollback', the mark that refuses a late one). A branch that is prepared and
-- in doubt has its row not yet committed: whoever inserts the same key waits for it.
create table branch_barrier (
  transaction_name text not null,
  participant text not null,
  operation text not null check (operation in ('prepare', 'rollback')),
  epoch bigint not null check (epoch > 0),
  created_at timestamptz not null default clock_timestamp(),
  primary key (transaction_name, participant)
);

-- Written in the order of their age, so a block range tells it: a tree would cost every branch a write.
create index branch_barrier_age on branch_barrier using brin (created_at);
