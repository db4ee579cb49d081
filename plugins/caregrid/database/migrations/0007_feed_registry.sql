-- What is expected of each feed, for the warehouse's freshness and coverage; written from the feeds' YAML.

create table ledger.feed (
    feed               text primary key,
    name_en            text not null,
    name_zh            text not null,
    owner              text not null,
    owner_name         text,
    visibility         text not null check (visibility in ('public', 'network', 'owner')),
    country_code       text,
    timezone           text not null,
    expected_every     interval,
    lateness_tolerance interval,
    licence            text,
    provenance         text,
    complete_sources   text[] not null default '{}',
    contracts          text[] not null default '{}',
    left_out           jsonb not null default '[]',
    as_of              timestamptz not null default clock_timestamp(),
    registered_at      timestamptz not null default clock_timestamp()
);
comment on table ledger.feed is 'Every feed that has a YAML file. complete_sources: those where absence from a version closes what is absent. left_out: [{what, reason}]. as_of: the moment that the last build took as now for the feed, by the rule that alerts go by.';

-- The status a build saw: a load is built once the last published build that lists it saw its present status.
alter table ledger.build_load add column load_status text not null default 'accepted';
comment on column ledger.build_load.load_status is 'The load''s status when the build read the ledger.';

grant select, insert, update, delete on ledger.feed to caregrid_loader, caregrid_dbt;
grant select on ledger.feed to caregrid_action, caregrid_model;

-- What a build was made of: tables of another making are rebuilt whole.

alter table ledger.build add column models_sha256 text;
comment on column ledger.build.models_sha256 is 'sha256 over the models and macros of dbt that the build ran.';
