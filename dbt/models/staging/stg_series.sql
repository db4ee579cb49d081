select
    series.series_id,
    series.series_key,
    series.feed,
    series.place_id,
    series.service_or_resource,
    series.measure,
    series.statistic,
    series.unit,
    series.grain,
    series.week_ends_on,
    series.dimensions,
    series.total_over,
    series.subset_of,
    series.timezone
from {{ source('canonical', 'series') }} as series
