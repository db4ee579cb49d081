-- Records that are events: a file tells of some of them, and what was counted is what all files told of.

alter table raw.load add column counts_events boolean not null
    generated always as (coalesce(mapping #> '{source,events}', 'false') <> 'false') stored;
comment on column raw.load.counts_events is 'The records of its source are events: their counts add up over loads.';

create table canonical.usage_event (
    series_id    bigint not null,
    period_start timestamptz not null,
    known_at     timestamptz not null,
    load_id      bigint not null,
    event_id     uuid not null,
    value_name   text not null,
    line         integer not null,
    value        double precision not null check (value > 0),
    primary key (series_id, period_start, known_at, load_id, event_id, value_name)
);
comment on table canonical.usage_event is 'The events behind each row of canonical.usage that counts events, each once per row. event_id: a digest of what the feed says tells an event from others, else of the file and the line; it is the same in whatever file the event stands.';
create index usage_event_load_id on canonical.usage_event using brin (load_id);

grant select, insert, delete on canonical.usage_event to caregrid_loader;
grant select on canonical.usage_event to caregrid_dbt;
