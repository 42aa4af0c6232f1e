-- A reservation that a two-phase commit has promised never runs out.
alter table reservations
  drop constraint reservations_check,
  add check (state = 'released' or (currency is not null and total_minor is not null));
