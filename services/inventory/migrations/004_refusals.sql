-- Why a choreographed order's stock was refused by an event. The event may get lost: then the order asks by a call, finds
-- its reservation released before it was made, and is told the reason all the same.
create table reservation_refusals (
  tenant text not null,
  reservation_id uuid not null,
  code text not null,
  reason text not null,
  message text not null,
  metadata jsonb not null,
  primary key (tenant, reservation_id),
  foreign key (tenant, reservation_id) references reservations
);
