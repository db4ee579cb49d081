-- The newest value of every series of one measure, beside the capacity of the same place and service.
select
    series.series_id,
    series.feed,
    series.measure,
    series.service_or_resource,
    series.dimensions,
    series.unit,
    series.timezone,
    place.place_id,
    place.place_level,
    coalesce(place.name, place.code) as place,
    place.code as place_code,
    latest.value,
    latest.period_end,
    latest.known_at,
    capacity.value as capacity
from canonical.latest
join canonical.series using (series_id)
join canonical.place using (place_id)
left join lateral (
    select newest.value
    from canonical.series as beside
    join canonical.latest as newest using (series_id)
    where beside.place_id = series.place_id
        and beside.feed = series.feed
        and beside.service_or_resource = series.service_or_resource
        and beside.dimensions = series.dimensions
        and beside.measure in ('staffed_capacity', 'capacity')
        and newest.value > 0
    order by beside.measure desc
    limit 1
) as capacity on true
where series.measure = %(measure)s
    and series.dimensions @> %(dimensions)s
    and place.place_level = any(%(place_levels)s)
    and (cardinality(%(services)s::text[]) = 0 or series.service_or_resource = any(%(services)s))
    and (cardinality(%(feeds)s::text[]) = 0 or series.feed = any(%(feeds)s))
    and latest.value is not null
