-- What now is for each feed, as the builder resolved it by the rule that alerts go by.

alter table ledger.feed add column as_of timestamptz not null default clock_timestamp();
comment on column ledger.feed.as_of is 'The moment that the last build took as now for the feed.';
