-- Joint paths, sums of places, levels of risk, and how a forecast was made.

create table model_output.path (
    run_id       text not null references model_output.run,
    series_id    bigint not null,
    period_start timestamptz not null,
    values       real[] not null,
    primary key (run_id, series_id, period_start)
);
comment on table model_output.path is 'Joint paths: the n-th value of every series and period of a run belongs to its n-th path. Kept for some days; `caregrid forecast reproduce` makes them again.';

create table model_output.area (
    run_id              text not null references model_output.run,
    area_id             integer not null,
    level               text not null check (level in ('region', 'country')),
    area_key            text not null,
    feed                text not null,
    grain               text not null,
    measure             text not null,
    service_or_resource text not null,
    statistic           text not null,
    unit                text not null,
    dimensions          jsonb not null,
    total_over          text[] not null,
    series_ids          bigint[] not null,
    series_absent       integer not null,
    primary key (run_id, area_id)
);
comment on table model_output.area is 'What a run summed over the places of a region or country. series_absent: demand series of the same kind that report and have no forecast, and are no part of the sum.';

create table model_output.area_forecast (
    run_id       text not null,
    area_id      integer not null,
    period_start timestamptz not null,
    period_end   timestamptz not null,
    horizon      integer not null check (horizon > 0),
    quantile     double precision not null check (quantile > 0 and quantile < 1),
    value        double precision not null,
    primary key (run_id, area_id, period_start, quantile),
    foreign key (run_id, area_id) references model_output.area
);
comment on table model_output.area_forecast is 'Quantiles of the sum over the places of an area, summed path by path.';

create table model_output.remark (
    run_id    text not null references model_output.run,
    series_id bigint not null,
    remark    text not null,
    primary key (run_id, series_id)
);
comment on table model_output.remark is 'What is particular about how a series'' forecast was made.';

comment on table model_output.forecast is 'Quantiles of what is expected. horizon counts periods of the series'' own grain after the publication of its feed.';

alter table model_output.risk
    add column occupied_limit double precision,
    add column definition text,
    add column level integer check (level between 1 and 4),
    add column runs_below integer[];
create index on model_output.risk (series_id, horizon, made_at);
comment on table model_output.risk is 'Probability of overload within the horizon, read off the joint paths, beside whether there is overload already. definition: what overload means for this source; occupied_limit: above how many occupied there is; level 1 to 4 with hysteresis, runs_below its memory.';

grant select, insert on model_output.path, model_output.area, model_output.area_forecast, model_output.remark
    to caregrid_model;
grant select on model_output.path, model_output.area, model_output.area_forecast, model_output.remark
    to caregrid_dbt;

-- A forecast is made again from the same bytes, also when they have been loaded once more since.
grant select on ledger.load_order to caregrid_model;
