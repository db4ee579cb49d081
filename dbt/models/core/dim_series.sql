{{ config(indexes=[{'columns': ['series_id'], 'unique': True}]) }}

select
    series.series_id,
    series.feed,
    series.place_id,
    series.service_or_resource,
    series.measure,
    series.statistic,
    series.unit,
    series.grain,
    series.week_ends_on,
    series.dimensions,
    series.breakdown,
    series.total_over,
    series.subset_of,
    series.timezone,
    series.is_demand,
    series.is_summed,
    series.is_published_total,
    series.preferred_series_id,
    series.is_preferred,
    series.capacity_group_id,
    feed.owner,
    feed.visibility
from {{ ref('int_series') }} as series
left join {{ ref('stg_feed') }} as feed on series.feed = feed.feed
