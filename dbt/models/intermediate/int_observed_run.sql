{#- Unbroken runs of periods on the spine, for the touched series: what coverage and gaps are read from. -#}
{{ config(indexes=[{'columns': ['series_id', 'first_ordinal'], 'unique': True}]) }}

with marked as (
    select
        part.*,
        part.first_ordinal
        - lag(part.last_ordinal) over (partition by part.series_id order by part.first_ordinal) = 1 as goes_on
    from {{ ref('fct_observed_part') }} as part
    inner join {{ ref('int_series_touched') }} as touched on part.series_id = touched.series_id
),

numbered as (
    select
        marked.*,
        count(*) filter (where goes_on is not true) over (partition by series_id order by first_ordinal) as run_number
    from marked
)

select
    series_id,
    min(first_ordinal) as first_ordinal,
    max(last_ordinal) as last_ordinal,
    sum(periods)::bigint as periods,
    sum(reported_periods)::bigint as reported_periods,
    min(started_at) as started_at,
    max(last_period_start) as last_period_start,
    max(ended_at) as ended_at
from numbered
group by series_id, run_number
