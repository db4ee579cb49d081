-- The newest risk of every series: the highest probability within the horizon.
with run as (
    select run_id, made_at from model_output.run where kind = 'score' order by made_at desc limit 20
),
newest as (
    select risk.*, run.made_at as run_made_at,
        max(run.made_at) over (partition by risk.series_id) as newest_made_at
    from model_output.risk
    join run using (run_id)
    where risk.horizon <= %(horizon_at_most)s
),
worst as (
    select distinct on (series_id) *
    from newest where run_made_at = newest_made_at
    order by series_id, probability desc, horizon
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
    worst.probability as value,
    worst.period_end,
    worst.horizon,
    worst.made_at,
    worst.is_over_now,
    worst.capacity,
    latest.value as value_now
from worst
join canonical.series using (series_id)
join canonical.place on place.place_id = worst.place_id
left join canonical.latest using (series_id)
where cardinality(%(feeds)s::text[]) = 0 or series.feed = any(%(feeds)s)
