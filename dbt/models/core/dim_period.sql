{{ config(indexes=[{'columns': ['grain', 'timezone', 'week_ends_on', 'period_start'], 'unique': True}]) }}

-- The spine: every period of a grain in a time zone between the first and the last observed, gaps included.
with spans as (
    select
        case when series.grain = 'instant' then 'hour' else series.grain end as grain,
        series.timezone,
        coalesce(series.week_ends_on, 0)::integer as week_ends_on,
        date_trunc('hour', min(coverage.first_period_start)) as first_start,
        max(coverage.last_period_start) as last_start
    from {{ ref('fct_series_coverage') }} as coverage
    inner join {{ ref('dim_series') }} as series on coverage.series_id = series.series_id
    where series.grain <> 'interval'
    group by 1, 2, 3
),

hours as (
    select
        spans.grain,
        spans.timezone,
        spans.week_ends_on,
        hour as period_start,
        hour + interval '1 hour' as period_end
    from spans
    cross join lateral generate_series(spans.first_start, spans.last_start, interval '1 hour') as hour
    where spans.grain = 'hour'
),

days as (
    select
        spans.grain,
        spans.timezone,
        spans.week_ends_on,
        local_start at time zone spans.timezone as period_start,
        (local_start + case spans.grain
            when 'day' then interval '1 day'
            when 'week' then interval '7 days'
            when 'month' then interval '1 month'
            when 'quarter' then interval '3 months'
            else interval '1 year'
        end) at time zone spans.timezone as period_end
    from spans
    cross join lateral generate_series(
        spans.first_start at time zone spans.timezone,
        spans.last_start at time zone spans.timezone,
        case spans.grain
            when 'day' then interval '1 day'
            when 'week' then interval '7 days'
            when 'month' then interval '1 month'
            when 'quarter' then interval '3 months'
            else interval '1 year'
        end
    ) as local_start
    where spans.grain <> 'hour'
),

periods as (
    select * from hours
    union all
    select * from days
)

select
    grain,
    timezone,
    week_ends_on,
    period_start,
    period_end,
    period_start at time zone timezone as local_start,
    (period_start at time zone timezone)::date as local_date,
    {{ period_ordinal('period_start', 'grain', 'timezone') }} as ordinal
from periods
