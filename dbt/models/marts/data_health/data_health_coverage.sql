{{ config(indexes=[
    {'columns': ['place_id', 'feed', 'service_or_resource', 'measure', 'grain'], 'unique': True},
]) }}

select
    series.place_id,
    series.feed,
    series.service_or_resource,
    series.measure,
    series.grain,
    max(place.name_en) as place_name_en,
    max(place.name_zh) as place_name_zh,
    max(place.place_level) as place_level,
    bool_or(place.is_inferred) as place_is_inferred,
    count(*) as series,
    min(coverage.first_period_start) as first_period_start,
    max(coverage.last_period_start) as last_period_start,
    sum(coverage.expected_periods)::bigint as expected_reports,
    sum(coverage.arrived_periods)::bigint as arrived_reports,
    sum(coverage.reported_periods)::bigint as reported_values,
    (sum(coverage.arrived_periods) / sum(coverage.expected_periods))::double precision as coverage_rate,
    max(coverage.silent_periods) as silent_periods,
    max(series.timezone) as timezone,
    {{ local_times('max(series.timezone)', {
        'first_period_start': 'min(coverage.first_period_start)',
        'last_period_start': 'max(coverage.last_period_start)',
    }) }}
from {{ ref('fct_series_coverage') }} as coverage
inner join {{ ref('dim_series') }} as series on coverage.series_id = series.series_id
inner join {{ ref('dim_place') }} as place on series.place_id = place.place_id
group by series.place_id, series.feed, series.service_or_resource, series.measure, series.grain
