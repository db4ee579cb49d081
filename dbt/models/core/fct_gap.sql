{{ config(indexes=[{'columns': ['series_id', 'gap_start'], 'unique': True}]) }}

with following as (
    select
        series_id,
        last_ordinal,
        ended_at,
        last_period_start,
        lead(first_ordinal) over (partition by series_id order by first_ordinal) as next_ordinal,
        lead(started_at) over (partition by series_id order by first_ordinal) as next_started_at
    from {{ ref('fct_observed_run') }}
)

select
    series_id,
    -- an instant has no length: its gap begins after its hour
    case when ended_at = last_period_start then date_trunc('hour', ended_at) + interval '1 hour' else ended_at end
        as gap_start,
    next_started_at as gap_end,
    next_ordinal - last_ordinal - 1 as missing_periods
from following
where next_ordinal is not null
