-- SKUs sort by their bytes, here and in the list's cursor, whatever the
-- database's own collation is.
create table products (
  tenant text not null,
  sku text collate "C" not null,
  title text not null,
  description text not null,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  price_minor bigint not null check (price_minor >= 0),
  created_at timestamptz not null,
  primary key (tenant, sku)
);

-- Apart from the product because a hot one changes hundreds of times a second:
-- a narrow row without an index on what changes, in a page with room for new
-- versions, is updated in place (HOT) and leaves nothing for the index.
create table stock (
  tenant text not null,
  sku text collate "C" not null,
  available bigint not null check (available >= 0),
  reserved bigint not null check (reserved >= 0),
  sold bigint not null check (sold >= 0),
  version bigint not null,
  updated_at timestamptz not null,
  primary key (tenant, sku),
  foreign key (tenant, sku) references products
)
with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 500
);

-- What was brought in and written off. For each product the deltas add up to
-- available + reserved + sold.
create table stock_movements (
  id uuid primary key,
  tenant text not null,
  sku text collate "C" not null,
  delta bigint not null,
  reason text not null,
  created_at timestamptz not null,
  foreign key (tenant, sku) references products
);

create index stock_movements_product on stock_movements (tenant, sku, created_at);

-- Requests that their callers named. A repeat finds its row and takes no effect.
create table request_ids (
  tenant text not null,
  method text not null,
  request_id uuid not null,
  request_hash bytea not null,
  created_at timestamptz not null,
  primary key (tenant, method, request_id)
);

create index request_ids_created on request_ids (created_at);
