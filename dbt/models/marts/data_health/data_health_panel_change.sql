{{ config(indexes=[{'columns': ['series_id', 'period_start', 'known_at'], 'unique': True}]) }}

-- A value that came with another number of reporting units than the one before it: no change in demand.
with versions as (
    select
        usage.series_id,
        usage.period_start,
        usage.known_at,
        usage.value,
        usage.reporting_units,
        lag(usage.value) over revisions as previous_value,
        lag(usage.reporting_units) over revisions as previous_reporting_units
    from {{ ref('fct_usage') }} as usage
    where usage.reporting_units is not null
    window revisions as (partition by usage.series_id, usage.period_start order by usage.known_at)
)

select
    versions.series_id,
    versions.period_start,
    versions.known_at,
    series.feed,
    series.place_id,
    series.service_or_resource,
    series.measure,
    versions.previous_reporting_units,
    versions.reporting_units,
    versions.previous_value,
    versions.value,
    series.timezone,
    {{ local_times('series.timezone', {
        'period_start': 'versions.period_start',
        'known_at': 'versions.known_at',
    }) }}
from versions
inner join {{ ref('dim_series') }} as series on versions.series_id = series.series_id
where versions.previous_reporting_units <> versions.reporting_units
