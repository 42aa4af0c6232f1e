-- The version of the contract that the event was made with.
alter table outbox add column schema_version smallint not null default 1;
