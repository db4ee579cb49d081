{{ config(indexes=[{'columns': ['series_id'], 'unique': True}]) }}

-- A series is expected until the newest period of its feed at its grain, so that one that fell silent shows.
with per_series as (
    select
        run.series_id,
        min(run.first_ordinal) as first_ordinal,
        max(run.last_ordinal) as last_ordinal,
        sum(run.periods) as arrived_periods,
        sum(run.reported_periods) as reported_periods,
        min(run.started_at) as first_period_start,
        max(run.last_period_start) as last_period_start,
        max(run.ended_at) as last_period_end
    from {{ ref('fct_observed_run') }} as run
    group by run.series_id
),

expected as (
    select
        per_series.*,
        series.feed,
        series.grain,
        max(per_series.last_ordinal) over (
            partition by series.feed, series.grain, series.timezone, series.measure
        ) as newest_ordinal
    from per_series
    inner join {{ ref('dim_series') }} as series on per_series.series_id = series.series_id
)

select
    series_id,
    first_period_start,
    last_period_start,
    last_period_end,
    first_ordinal,
    last_ordinal,
    newest_ordinal,
    newest_ordinal - first_ordinal + 1 as expected_periods,
    arrived_periods::bigint as arrived_periods,
    reported_periods::bigint as reported_periods,
    newest_ordinal - first_ordinal + 1 - arrived_periods::bigint as missing_periods,
    arrived_periods::double precision / (newest_ordinal - first_ordinal + 1) as coverage_rate,
    newest_ordinal - last_ordinal as silent_periods
from expected
