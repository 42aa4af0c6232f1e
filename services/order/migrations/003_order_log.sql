-- The log of changes as a whole: whose transaction ids it counts in, and the last change that was forgotten. They begin
-- anew in another cluster (dump and restore, a logical failover), and may repeat on another timeline (a promotion).
create table order_log (
  id boolean primary key default true check (id),
  cluster text not null,
  pruned_xid xid8 not null,
  pruned_seq bigint not null
);

insert into order_log (cluster, pruned_xid, pruned_seq)
select system_identifier || '/' || timeline_id, '0', 0
from pg_control_system(), pg_control_checkpoint();
