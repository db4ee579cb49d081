{{ config(indexes=[{'columns': ['series_id', 'period_start', 'known_at'], 'unique': True}]) }}

-- A value that came with another number of reporting units than the one before it: no change in demand.
select
    change.series_id,
    change.period_start,
    change.known_at,
    series.feed,
    series.place_id,
    series.service_or_resource,
    series.measure,
    change.previous_reporting_units,
    change.reporting_units,
    change.previous_value,
    change.value,
    series.timezone,
    {{ local_times('series.timezone', {
        'period_start': 'change.period_start',
        'known_at': 'change.known_at',
    }) }}
from {{ ref('fct_panel_change') }} as change
inner join {{ ref('dim_series') }} as series on change.series_id = series.series_id
