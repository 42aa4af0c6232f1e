-- Whether its events say that the order is choreographed, so that others act on them.
alter table payments add column choreographed boolean not null default false;
