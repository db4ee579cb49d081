-- Typed rows under the contracts. The loader writes them; dbt reads those of accepted loads.
-- Places and series are issued here once, by number: silences, forecasts and agreements hang on these numbers.

create schema canonical;

create table canonical.place (
    place_id      bigint generated always as identity primary key,
    place_level   text not null check (place_level in
        ('facility', 'department', 'organisation', 'region', 'province', 'country', 'panel')),
    id_system     text not null,
    code          text not null,
    name          text,
    country_code  text,
    timezone      text not null,
    is_inferred   boolean not null default true,
    issued_at     timestamptz not null default clock_timestamp(),
    unique (id_system, place_level, code)
);
comment on table canonical.place is 'Every place a fact can point to, issued once. is_inferred: no registry row has described it yet.';

create table canonical.facility_identifier (
    place_id   bigint not null references canonical.place,
    system     text not null,
    value      text not null,
    valid_from date,
    valid_to   date,
    load_id    bigint references raw.load,
    primary key (system, value, place_id)
);
comment on table canonical.facility_identifier is 'Other identifiers of a place, also past ones. Renumbering adds a row and rewrites no fact.';

create table canonical.facility_crosswalk (
    place_id      bigint not null references canonical.place,
    same_place_id bigint not null references canonical.place,
    method        text not null,
    score         double precision not null check (score between 0 and 1),
    status        text not null check (status in ('matched', 'ambiguous', 'refused')),
    reviewer      text,
    decided_at    timestamptz not null default clock_timestamp(),
    primary key (place_id, same_place_id),
    check (place_id <> same_place_id)
);
comment on table canonical.facility_crosswalk is 'Places of different registries that are one facility (matched), may be (ambiguous: for a person to decide), or were decided not to be (refused).';

create table canonical.series (
    series_id            bigint generated always as identity primary key,
    series_key           text not null unique,
    feed                 text not null,
    place_id             bigint not null references canonical.place,
    service_or_resource  text not null,
    measure              text not null,
    statistic            text not null,
    unit                 text not null,
    grain                text not null,
    week_ends_on         smallint check (week_ends_on between 1 and 7),
    dimensions           jsonb not null default '{}',
    total_over           text[] not null default '{}',
    subset_of            text,
    timezone             text not null,
    issued_at            timestamptz not null default clock_timestamp()
);
comment on table canonical.series is 'What a usage value is a value of, issued once. total_over: axes (place or a dimension) already summed over; empty for a leaf. week_ends_on: ISO weekday of the last day of a week.';
create index on canonical.series (place_id);

create table canonical.usage (
    series_id            bigint not null,
    period_start         timestamptz not null,
    period_end           timestamptz not null,
    known_at             timestamptz not null,
    load_id              bigint not null,
    line                 integer not null,
    value                double precision,
    value_status         text not null check (value_status in ('reported', 'missing', 'suppressed', 'not_applicable')),
    observed_at          timestamptz,
    reporting_units      integer,
    is_provisional       boolean not null default false,
    known_at_is_assumed  boolean not null,
    time_is_ambiguous    boolean not null default false,
    primary key (series_id, period_start, known_at, load_id),
    check (period_end >= period_start),
    check ((value_status = 'reported') = (value is not null))
);
comment on table canonical.usage is 'Every usage value as mapped, of staged, accepted and superseded loads alike. [period_start, period_end) in UTC; for an instant both are the same.';
create index usage_load_id on canonical.usage using brin (load_id);

create table canonical.latest (
    series_id           bigint primary key references canonical.series,
    period_start        timestamptz not null,
    period_end          timestamptz not null,
    known_at            timestamptz not null,
    load_id             bigint not null references raw.load,
    line                integer not null,
    value               double precision,
    value_status        text not null,
    observed_at         timestamptz,
    reporting_units     integer,
    is_provisional      boolean not null,
    known_at_is_assumed boolean not null
);
comment on table canonical.latest is 'The newest accepted value per series, kept in the transaction that accepts or supersedes a load.';

create table canonical.facility (
    load_id        bigint not null references raw.load,
    line           integer not null,
    place_id       bigint not null references canonical.place,
    published_at   timestamptz not null,
    known_at       timestamptz not null,
    known_at_is_assumed boolean not null,
    name           text,
    name_local     text,
    facility_type  text,
    ownership      text,
    address        text,
    city           text,
    postal_code    text,
    region_code    text,
    region_name    text,
    county_name    text,
    country_code   text,
    latitude       double precision check (latitude between -90 and 90),
    longitude      double precision check (longitude between -180 and 180),
    phone          text,
    opening_hours  text,
    service_slots  jsonb,
    services       text[],
    accreditation  text,
    parent_network text,
    status         text check (status in ('open', 'closed')),
    valid_from     date,
    valid_to       date,
    extra          jsonb not null default '{}',
    primary key (load_id, place_id, line)
);
comment on table canonical.facility is 'Facility descriptions as each landed version gives them. service_slots: {weekday 1-7: {morning|afternoon|evening: open|closed}}, unknown slots absent.';
create index on canonical.facility (place_id);

create table canonical.resource (
    load_id       bigint not null references raw.load,
    line          integer not null,
    place_id      bigint not null references canonical.place,
    resource_type text not null,
    name          text,
    published_at  timestamptz not null,
    known_at      timestamptz not null,
    known_at_is_assumed boolean not null,
    valid_from    date,
    valid_to      date,
    extra         jsonb not null default '{}',
    primary key (load_id, place_id, resource_type, line)
);
comment on table canonical.resource is 'What exists where, from when to when. It holds no number: capacity is a dated observation in usage.';

create table canonical.quality (
    load_id               bigint not null references raw.load,
    line                  integer not null,
    place_id              bigint not null references canonical.place,
    measure               text not null,
    period_start          timestamptz not null,
    period_end            timestamptz not null,
    period_source         text not null check (period_source in ('column', 'file', 'yaml')),
    published_at          timestamptz not null,
    known_at              timestamptz not null,
    known_at_is_assumed   boolean not null,
    numerator             double precision,
    numerator_status      text not null,
    denominator           double precision,
    denominator_status    text not null,
    value                 double precision,
    value_status          text not null,
    value_kind            text not null check (value_kind in ('ratio', 'rate', 'count', 'score', 'ordinal', 'amount')),
    unit                  text not null,
    improvement_direction text not null check (improvement_direction in ('higher', 'lower', 'none')),
    benchmark             double precision,
    benchmark_source      text,
    assessment_result     text,
    footnote              text,
    dimensions            jsonb not null default '{}',
    primary key (load_id, place_id, measure, period_start, dimensions, line)
);
comment on table canonical.quality is 'Quality indicators and assessments. National rows are benchmarks and stand at country level.';

create table canonical.improvement_action (
    load_id      bigint not null references raw.load,
    line         integer not null,
    place_id     bigint not null references canonical.place,
    action_code  text not null,
    measure      text not null,
    action       text not null,
    owner        text,
    started_on   date,
    due_on       date,
    status       text not null check (status in ('planned', 'under_way', 'done', 'abandoned')),
    effect       text,
    published_at timestamptz not null,
    known_at     timestamptz not null,
    known_at_is_assumed boolean not null,
    primary key (load_id, place_id, action_code, line)
);
comment on table canonical.improvement_action is 'What is being done about a quality measure, by whom and until when.';

create table canonical.external_forecast (
    load_id      bigint not null references raw.load,
    line         integer not null,
    series_id    bigint not null references canonical.series,
    team         text not null,
    made_at      timestamptz not null,
    period_start timestamptz not null,
    period_end   timestamptz not null,
    horizon      integer not null,
    quantile     double precision not null check (quantile > 0 and quantile < 1),
    value        double precision not null,
    known_at     timestamptz not null,
    known_at_is_assumed boolean not null,
    primary key (series_id, team, made_at, period_start, quantile, load_id)
);
comment on table canonical.external_forecast is 'Expectations published by others, for the same series ids as the observations they are about.';
