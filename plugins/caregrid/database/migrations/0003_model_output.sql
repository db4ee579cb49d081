-- What models said. Appended, never changed.

create schema model_output;

create table model_output.run (
    run_id           text primary key,
    kind             text not null check (kind in ('train', 'score', 'backtest')),
    mlflow_run_id    text,
    model_name       text not null,
    model_version    text not null,
    made_at          timestamptz not null,
    as_of            timestamptz not null,
    known_at_cut     timestamptz not null,
    code_version     text not null,
    lock_sha256      text not null,
    load_ids         bigint[] not null,
    parameters       jsonb not null default '{}',
    sample           text
);
comment on table model_output.run is 'One run of a model. sample: what part of the series it was trained or scored on, when not all.';

create table model_output.forecast (
    run_id       text not null references model_output.run,
    series_id    bigint not null,
    period_start timestamptz not null,
    period_end   timestamptz not null,
    horizon      integer not null check (horizon > 0),
    quantile     double precision not null check (quantile > 0 and quantile < 1),
    value        double precision not null,
    made_at      timestamptz not null,
    known_at     timestamptz not null,
    primary key (run_id, series_id, period_start, quantile)
);
comment on table model_output.forecast is 'Quantiles of what is expected. horizon counts periods of the series'' own grain after the last known period.';

create table model_output.risk (
    run_id            text not null references model_output.run,
    series_id         bigint not null,
    place_id          bigint not null,
    horizon           integer not null,
    period_end        timestamptz not null,
    capacity          double precision not null,
    capacity_series_id bigint not null,
    probability       double precision not null check (probability between 0 and 1),
    is_over_now       boolean not null,
    made_at           timestamptz not null,
    known_at          timestamptz not null,
    primary key (run_id, series_id, horizon)
);
comment on table model_output.risk is 'Probability that demand exceeds staffed capacity within the horizon, beside whether it does already.';

create table model_output.series_left_out (
    run_id    text not null references model_output.run,
    series_id bigint not null,
    reason    text not null,
    detail    text,
    primary key (run_id, series_id)
);
comment on table model_output.series_left_out is 'Every demand series a run did not forecast, and why.';

create table model_output.backtest (
    run_id    text not null references model_output.run,
    model     text not null,
    grain     text not null,
    metric    text not null,
    value     double precision,
    cells     bigint not null,
    origins   integer not null,
    primary key (run_id, model, grain, metric)
);
comment on table model_output.backtest is 'Scores over rolling origins, model and baselines on the same cells.';
