{#- The touched planning periods of series. -#}
-- depends_on: {{ ref('int_period_touched') }}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(pre_hook="set local work_mem = '128MB'", indexes=[{'columns': ['series_id', 'period_start'], 'unique': True}]) }}
{% set within -%}
    served.period_start >= keys.reads_from and served.period_start < keys.reads_until
    and keys.period_start = {{ planning_period('served.period_start', 'keys.grain', 'keys.timezone') }}
{%- endset %}

-- One pass over usage and one over occupancy; united and grouped again rather than joined, which costs no guess.
with usage_read as (
    {{ facts_at(
        'fct_usage', ['series_id', 'period_start', 'value', 'value_status', 'is_current'],
        ref('int_usage_rebuilt'), ref('int_period_touched'), ref('int_usage_touched'), within
    ) }}
),

occupancy_read as (
    {{ facts_at(
        'fct_occupancy', ['series_id', 'period_start', 'occupied_beds', 'usable_beds', 'is_over_capacity'],
        ref('int_capacity'), ref('int_period_touched'), ref('int_usage_touched'), within
    ) }}
),

usage as (
    select
        usage.series_id,
        {{ planning_period('usage.period_start', 'series.grain', 'series.timezone') }} as period_start,
        sum(usage.value) as total,
        avg(usage.value) as mean,
        case series.grain
            when 'instant' then count(distinct date_trunc('hour', usage.period_start))
            else count(*)
        end as arrived_reports
    from usage_read as usage
    inner join {{ ref('dim_series') }} as series on usage.series_id = series.series_id
    where usage.is_current and usage.value_status = 'reported' and series.is_summed and series.grain <> 'interval'
    group by usage.series_id, 2, series.grain
),

occupancy as (
    select
        occupancy.series_id,
        {{ planning_period('occupancy.period_start', 'series.grain', 'series.timezone') }} as period_start,
        avg(occupancy.occupied_beds) as occupied_beds,
        avg(occupancy.usable_beds) as usable_beds,
        count(*) as compared_periods,
        count(*) filter (where occupancy.is_over_capacity) as over_capacity_periods
    from occupancy_read as occupancy
    inner join {{ ref('dim_series') }} as series on occupancy.series_id = series.series_id
    where series.is_summed and series.grain <> 'interval'
    group by 1, 2
),

united as (
    select
        series_id,
        period_start,
        total,
        mean,
        arrived_reports,
        null::double precision as occupied_beds,
        null::double precision as usable_beds,
        null::bigint as compared_periods,
        null::bigint as over_capacity_periods
    from usage
    union all
    select
        series_id,
        period_start,
        null,
        null,
        null,
        occupied_beds,
        usable_beds,
        compared_periods,
        over_capacity_periods
    from occupancy
)

select
    series_id,
    period_start,
    max(total) as total,
    max(mean) as mean,
    max(arrived_reports) as arrived_reports,
    max(occupied_beds) as occupied_beds,
    max(usable_beds) as usable_beds,
    max(compared_periods) as compared_periods,
    max(over_capacity_periods) as over_capacity_periods
from united
group by series_id, period_start
