-- How an order ended; null until then. A list of rejected orders is found by it, and an index of `state` itself would be
-- written with every step (see 007): this one is, once, with the change that leaves the index of due orders.
alter table orders add column outcome text generated always as (case when settled_at is not null then state end) stored;
create index orders_by_outcome on orders (tenant, outcome, created_at desc, id desc) where outcome is not null;
