-- The steps of an order change no indexed column until it is settled: with room in its page each new version goes there,
-- and no index hears of it (HOT). An index that so much as names a changing column in its condition forbids that.
drop index orders_stuck;
create index orders_stuck on orders (id) where attention is not null;

alter table orders set (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05
);

-- Rows come in the order of their age.
drop index order_changes_age;
create index order_changes_age on order_changes using brin (changed_at) with (autosummarize = on);
