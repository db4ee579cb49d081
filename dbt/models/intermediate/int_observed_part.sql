{#- Runs of periods on the spine within the touched parts of it: a run that goes on in the next part is two rows here. -#}
-- depends_on: {{ ref('int_part_touched') }}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(pre_hook="set local work_mem = '128MB'", indexes=[{'columns': ['series_id', 'first_ordinal'], 'unique': True}]) }}

with usage as (
    {{ facts_at(
        'fct_usage', ['series_id', 'period_start', 'period_end', 'value_status', 'is_current'],
        ref('int_usage_rebuilt'), ref('int_part_touched'), ref('int_usage_touched'),
        'served.period_start >= keys.reads_from and served.period_start < keys.reads_until and keys.part = '
        ~ observed_part(period_ordinal('served.period_start', 'keys.grain', 'keys.timezone'), 'keys.grain')
    ) }}
),

slots as (
    select
        usage.series_id,
        series.grain,
        {{ period_ordinal('usage.period_start', 'series.grain', 'series.timezone') }} as ordinal,
        min(usage.period_start) as period_start,
        max(usage.period_end) as period_end,
        bool_or(usage.value_status = 'reported') as is_reported
    from usage
    inner join {{ ref('dim_series') }} as series on usage.series_id = series.series_id
    where usage.is_current and series.grain <> 'interval'
    group by 1, 2, 3
),

numbered as (
    select
        slots.*,
        {{ observed_part('ordinal', 'grain') }} as part,
        -- a run ends with its part
        ordinal - row_number() over (partition by series_id order by ordinal) as run_number
    from slots
)

select
    series_id,
    part,
    min(ordinal) as first_ordinal,
    max(ordinal) as last_ordinal,
    count(*) as periods,
    count(*) filter (where is_reported) as reported_periods,
    min(period_start) as started_at,
    max(period_start) as last_period_start,
    max(period_end) as ended_at
from numbered
group by series_id, part, run_number
