-- What the last try of an order's step came to, where it came to nothing; of the step at hand while `attempts` is not 0.
alter table orders add column last_failure text;
