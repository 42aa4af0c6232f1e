-- Why an order can't end by itself: the state it is stuck in, the step, the reason, since when.
alter table orders add column attention jsonb;

alter table orders drop constraint orders_state_check;
alter table orders add constraint orders_state_check check (state in (
  'placed', 'reserved', 'authorized', 'confirmed', 'completed',
  'rejecting', 'rejected', 'cancelling', 'cancelled', 'needs_attention'
));
alter table orders add constraint orders_attention_check
  check ((attention is not null) = (state = 'needs_attention'));

create index orders_stuck on orders (updated_at, id) where state = 'needs_attention';
