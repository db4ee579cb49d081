{{ config(indexes=[{'columns': ['preferred_series_id', 'other_series_id'], 'unique': True}]) }}

-- The same quantity from two feeds: core keeps both, the marts use the preferred one, and this is how they differ.
select
    series.preferred_series_id,
    series.series_id as other_series_id,
    max(preferred.feed) as preferred_feed,
    max(series.feed) as other_feed,
    max(series.place_id) as place_id,
    max(series.service_or_resource) as service_or_resource,
    max(series.measure) as measure,
    count(*) as shared_periods,
    count(*) filter (where other_usage.value is distinct from preferred_usage.value) as differing_periods,
    max(abs(other_usage.value - preferred_usage.value)) as largest_difference,
    max(other_usage.period_start) filter (where other_usage.value is distinct from preferred_usage.value)
        as last_differing_period_start,
    max(series.timezone) as timezone,
    {{ local_times('max(series.timezone)', {
        'last_differing_period_start': '(max(other_usage.period_start) filter (where other_usage.value is distinct from preferred_usage.value))',
    }) }}
from {{ ref('dim_series') }} as series
inner join {{ ref('dim_series') }} as preferred on series.preferred_series_id = preferred.series_id
inner join {{ ref('fct_usage') }} as other_usage on series.series_id = other_usage.series_id and other_usage.is_current
inner join {{ ref('fct_usage') }} as preferred_usage
    on
        preferred.series_id = preferred_usage.series_id and preferred_usage.is_current
        and other_usage.period_start = preferred_usage.period_start
where not series.is_preferred
group by series.preferred_series_id, series.series_id
