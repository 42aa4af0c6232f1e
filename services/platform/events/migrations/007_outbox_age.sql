-- Rows come in the order of their age, so a block range tells which were published long ago; a tree cost each event a write.
drop index outbox_published;
create index outbox_age on outbox using brin (created_at) with (autosummarize = on);
