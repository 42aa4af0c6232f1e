create table reservations (
  tenant text not null,
  id uuid not null,
  order_name text not null,
  state text not null check (state in ('held', 'confirmed', 'released', 'expired')),
  currency text,
  total_minor bigint check (total_minor >= 0),
  expires_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, id),
  -- Only the mark of an early Release has no price and no end.
  check (state = 'released' or (currency is not null and total_minor is not null and expires_at is not null))
)
with (fillfactor = 80);

create index reservations_overdue on reservations (expires_at) where state = 'held';

-- No foreign key to products: it would lock the product's row for each line of
-- each order, and hot products would collect lockers. Products are never deleted.
create table reservation_lines (
  tenant text not null,
  reservation_id uuid not null,
  sku text collate "C" not null,
  quantity integer not null check (quantity > 0),
  unit_price_minor bigint not null check (unit_price_minor >= 0),
  primary key (tenant, reservation_id, sku),
  foreign key (tenant, reservation_id) references reservations
);
