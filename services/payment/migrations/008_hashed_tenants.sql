-- Tenants whose names the provider can't hold: it tells their payments by the hash of the name, so they are found by id.
-- Written as the query has it, and as `plainTenant` tells them.
create index payments_of_hashed_tenants on payments (id) where tenant !~ '^[A-Za-z0-9_.-]{1,63}$';
