-- What was received, and what became of every record of it.
-- Landed bytes are immutable files under the landing directory; these tables are their manifest.

create schema landing;
create schema raw;
create schema rejected;
create schema ledger;

create table landing.file (
    file_id                 bigint generated always as identity primary key,
    feed                    text not null,
    source                  text not null,
    uri                     text not null,
    member                  text not null default '',
    sha256                  text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    byte_size               bigint not null check (byte_size >= 0),
    etag                    text,
    last_modified           timestamptz,
    published_at            timestamptz not null,
    published_at_is_assumed boolean not null,
    landed_at               timestamptz not null default clock_timestamp(),
    unique (feed, source, uri, member, sha256)
);
comment on table landing.file is 'One row per distinct content received from one address. The bytes lie content-addressed under the landing directory.';

create table landing.fetch (
    fetch_id   bigint generated always as identity primary key,
    feed       text not null,
    source     text not null,
    uri        text not null,
    fetched_at timestamptz not null default clock_timestamp(),
    outcome    text not null check (outcome in ('new', 'unchanged', 'missing', 'failed')),
    message    text,
    file_id    bigint references landing.file
);
comment on table landing.fetch is 'Every attempt to fetch, also the ones that brought nothing new.';
create index on landing.fetch (feed, source, uri, fetched_at);

create table raw.load (
    load_id         bigint generated always as identity primary key,
    file_id         bigint not null references landing.file,
    feed            text not null,
    source          text not null,
    owner           text not null,
    visibility      text not null check (visibility in ('public', 'network', 'owner')),
    mapping_version text not null,
    mapping         jsonb not null,
    status          text not null check (status in ('staged', 'accepted', 'refused', 'superseded')),
    replaces        bigint references raw.load,
    run_id          text,
    known_at_min    timestamptz,
    known_at_max    timestamptz,
    period_min      timestamptz,
    period_max      timestamptz,
    loaded_at       timestamptz not null default clock_timestamp(),
    accepted_at     timestamptz,
    refused_at      timestamptz,
    superseded_at   timestamptz,
    decision_reason text,
    unique (file_id, feed, mapping_version)
);
comment on table raw.load is 'The ledger of loads: one landed file mapped under one version of its feed''s mapping.';
create index on raw.load (status);
create index on raw.load (feed, loaded_at);

create table raw.fate (
    load_id   bigint not null references raw.load,
    output    text not null default '',
    fate      text not null check (fate in ('received', 'filtered', 'duplicate')),
    lines     int4multirange not null,
    row_count bigint not null check (row_count >= 0),
    primary key (load_id, output, fate)
);
comment on table raw.fate is 'Lines of the landed file by what became of their records. output '''' is the record itself: received holds every record read; filtered and duplicate the records of which nothing else became. A named output holds the output rows of that fate, in row_count.';

create table rejected.file (
    rejected_file_id bigint generated always as identity primary key,
    file_id          bigint not null references landing.file,
    feed             text not null,
    mapping_version  text not null,
    code             text not null,
    reason           text not null,
    rejected_at      timestamptz not null default clock_timestamp(),
    unique (file_id, mapping_version)
);
comment on table rejected.file is 'Files that could not be read as their feed says; the bytes stay in landing.';

create table rejected.record (
    reject_id  bigint generated always as identity primary key,
    load_id    bigint not null references raw.load,
    line       integer not null,
    output     text not null,
    contract   text not null,
    value_name text not null default '',
    reasons    jsonb not null,
    record     jsonb not null
);
comment on table rejected.record is 'One row per output row that breaks its contract, with every reason and the source record as received.';
create index on rejected.record (load_id, line);

create table ledger.gate_result (
    gate_result_id bigint generated always as identity primary key,
    gate           text not null check (gate in ('landing', 'marts')),
    suite          text not null,
    load_id        bigint references raw.load,
    build_id       bigint,
    expectation    text not null,
    severity       text not null check (severity in ('critical', 'warning')),
    success        boolean not null,
    raised         boolean not null default false,
    observed       jsonb,
    message        text,
    checked_at     timestamptz not null default clock_timestamp()
);
comment on table ledger.gate_result is 'Every expectation evaluated at a gate, for one load or one build.';
create index on ledger.gate_result (load_id);
create index on ledger.gate_result (build_id);

create table ledger.build (
    build_id     bigint generated always as identity primary key,
    kind         text not null check (kind in ('warehouse', 'forecast')),
    status       text not null check (status in ('running', 'published', 'failed')),
    full_refresh boolean not null default false,
    started_at   timestamptz not null default clock_timestamp(),
    finished_at  timestamptz,
    models_built integer,
    tests_passed integer,
    tests_warned integer,
    tests_failed integer,
    reason       text
);
comment on table ledger.build is 'Every run of dbt that meant to publish, and how it ended.';

create table ledger.build_load (
    build_id bigint not null references ledger.build,
    load_id  bigint not null references raw.load,
    primary key (build_id, load_id)
);
comment on table ledger.build_load is 'Which loads a build took in. A load is built once a published build lists it after its last change of status.';

create table ledger.node_result (
    build_id       bigint not null references ledger.build,
    unique_id      text not null,
    resource_type  text not null,
    status         text not null,
    execution_seconds double precision not null,
    failures       bigint,
    message        text,
    primary key (build_id, unique_id)
);
comment on table ledger.node_result is 'dbt''s run_results, one row per model, seed or test.';
