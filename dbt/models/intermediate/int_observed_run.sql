{#- Unbroken runs of periods on the spine, for the touched series: what coverage and gaps are read from. -#}
{{ config(pre_hook="set local work_mem = '128MB'", indexes=[{'columns': ['series_id', 'first_ordinal'], 'unique': True}]) }}

with slots as (
    select
        usage.series_id,
        {{ period_ordinal('usage.period_start', 'series.grain', 'series.timezone') }} as ordinal,
        min(usage.period_start) as period_start,
        max(usage.period_end) as period_end,
        bool_or(usage.value_status = 'reported') as is_reported
    from {{ ref('fct_usage') }} as usage
    inner join {{ ref('int_series_touched') }} as touched on usage.series_id = touched.series_id
    inner join {{ ref('dim_series') }} as series on usage.series_id = series.series_id
    where usage.is_current and series.grain <> 'interval'
    group by 1, 2
),

numbered as (
    select
        slots.*,
        ordinal - row_number() over (partition by series_id order by ordinal) as run_number
    from slots
)

select
    series_id,
    min(ordinal) as first_ordinal,
    max(ordinal) as last_ordinal,
    count(*) as periods,
    count(*) filter (where is_reported) as reported_periods,
    min(period_start) as started_at,
    max(period_start) as last_period_start,
    max(period_end) as ended_at
from numbered
group by series_id, run_number
