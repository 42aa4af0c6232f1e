-- Requests that their callers named are kept in the platform's idempotency_keys.
drop table request_ids;
