{#- The planning periods of series that are summed anew: those of touched pairs, all of a series whose part in sums has changed. -#}
-- depends_on: {{ ref('int_usage_touched') }}
-- depends_on: {{ ref('int_series') }}
{{ config(indexes=[{'columns': ['series_id', 'period_start'], 'unique': True}]) }}

{% if builds_delta('fct_usage') %}
with moments as (
    select
        series_id,
        period_start
    from {{ ref('int_usage_touched') }}
    union all
    select
        series.series_id,
        usage.period_start
    from {{ ref('int_series') }} as series
    inner join core.dim_series as served
        on series.series_id = served.series_id and series.is_summed <> served.is_summed
    {{ periods_of('series') }}
),

periods as (
    select distinct
        moments.series_id,
        series.grain,
        series.timezone,
        {{ planning_period('moments.period_start', 'series.grain', 'series.timezone') }} as period_start
    from moments
    inner join {{ ref('int_series') }} as series on moments.series_id = series.series_id
    where series.grain <> 'interval'
)

-- a day more on either side: which period a moment belongs to is not decided here
select
    series_id,
    period_start,
    grain,
    timezone,
    (period_start::timestamp at time zone timezone) - interval '1 day' as reads_from,
    (
        (period_start + case grain
            when 'week' then interval '1 day'
            when 'quarter' then interval '3 months'
            when 'year' then interval '1 year'
            else interval '1 month'
        end) at time zone timezone
    ) + interval '1 day' as reads_until
from periods
{% else %}
-- Everything is rebuilt: no period needs naming.
select
    series_id,
    null::date as period_start,
    grain,
    timezone,
    null::timestamptz as reads_from,
    null::timestamptz as reads_until
from {{ ref('int_series') }}
where false
{% endif %}
