-- The newest forecast of every series of one measure: its worst period, beside the value and the capacity now.
with run as (
    select run_id, made_at from model_output.run where kind = 'score' order by made_at desc limit 20
),
newest as (
    select distinct on (forecast.series_id, forecast.period_start)
        forecast.series_id, forecast.period_start, forecast.period_end, forecast.value, forecast.horizon,
        run.made_at, max(run.made_at) over (partition by forecast.series_id) as newest_made_at
    from model_output.forecast
    join run using (run_id)
    join canonical.series using (series_id)
    where series.measure = %(measure)s
        and abs(forecast.quantile - %(quantile)s) < 0.000001
        and forecast.horizon <= %(horizon_at_most)s
    order by forecast.series_id, forecast.period_start, run.made_at desc
),
worst as (
    select distinct on (series_id) *
    from newest where made_at = newest_made_at
    order by series_id, value * %(sign)s desc, period_start
)
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
    worst.value,
    worst.period_end,
    worst.horizon,
    worst.made_at,
    latest.value as value_now,
    capacity.value as capacity
from worst
join canonical.series using (series_id)
join canonical.place using (place_id)
left join canonical.latest using (series_id)
left join lateral (
    select beside_latest.value
    from canonical.series as beside
    join canonical.latest as beside_latest using (series_id)
    where beside.place_id = series.place_id
        and beside.feed = series.feed
        and beside.service_or_resource = series.service_or_resource
        and beside.dimensions = series.dimensions
        and beside.measure in ('staffed_capacity', 'capacity')
        and beside_latest.value > 0
    order by beside.measure desc
    limit 1
) as capacity on true
where series.dimensions @> %(dimensions)s
    and place.place_level = any(%(place_levels)s)
    and (cardinality(%(services)s::text[]) = 0 or series.service_or_resource = any(%(services)s))
    and (cardinality(%(feeds)s::text[]) = 0 or series.feed = any(%(feeds)s))
