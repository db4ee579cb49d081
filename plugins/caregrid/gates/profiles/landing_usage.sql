-- Usage values: one row per load and measure.
with grouped as (
    select
        value.load_id, value.series_id, count(*) as rows,
        count(*) filter (where value.value_status = 'missing') as missing,
        count(*) filter (where value.value_status = 'suppressed') as suppressed,
        count(value.value) as reported, min(value.value) as smallest, max(value.value) as largest,
        sum(value.value) as total,
        count(*) filter (where value.value is not null and value.known_at <= value.period_end) as known_early,
        count(*) filter (where value.value is not null and value.period_start > file.published_at + interval '1 day')
            as future,
        max(value.value) filter (where value.value is not null) as bound
    from canonical.usage as value
    join raw.load using (load_id)
    join landing.file using (file_id)
    where value.load_id = any(%(loads)s)
    group by 1, 2
),
last_accepted as (
    select chosen.load_id, earlier.load_id as earlier_id
    from raw.load as chosen
    cross join lateral (
        select past.load_id from raw.load as past
        where past.feed = chosen.feed and past.source = chosen.source and past.status = 'accepted'
            and past.load_id <> chosen.load_id
        order by past.accepted_at desc limit 1
    ) as earlier
    where chosen.load_id = any(%(loads)s)
),
earlier_mean as (
    select value.load_id as earlier_id, series.measure, avg(value.value) as mean
    from canonical.usage as value
    join canonical.series using (series_id)
    where value.load_id in (select earlier_id from last_accepted)
    group by 1, 2
),
described as (
    select id_system, place_level from canonical.place where not is_inferred group by 1, 2
),
place_share as (
    select
        seen.load_id, seen.measure,
        avg(seen.is_inferred::int) as inferred_place_share
    from (
        select distinct grouped.load_id, series.measure, place.place_id, place.is_inferred,
            place.id_system, place.place_level
        from grouped
        join canonical.series using (series_id)
        join canonical.place using (place_id)
    ) as seen
    join described using (id_system, place_level)
    group by 1, 2
)
select
    grouped.load_id,
    series.measure,
    sum(grouped.rows)::bigint as rows,
    count(distinct series.place_id) as places,
    count(*) as series,
    sum(grouped.missing)::float / sum(grouped.rows) as missing_share,
    sum(grouped.suppressed)::float / sum(grouped.rows) as suppressed_share,
    min(grouped.smallest) as min_value,
    max(grouped.largest) as max_value,
    sum(grouped.total) / nullif(sum(grouped.reported), 0) as mean_value,
    coalesce(sum(grouped.known_early) filter (
        where series.statistic in ('count', 'sum') and series.grain <> 'instant'
    ), 0)::float / sum(grouped.rows) as known_too_early_share,
    sum(grouped.future)::float / sum(grouped.rows) as future_share,
    avg((case series.unit when 'percent' then 1000 when 'hours' then 8784 end
        < grouped.bound)::int) as over_bound_share,
    (sum(grouped.total) / nullif(sum(grouped.reported), 0)) / nullif(max(earlier_mean.mean), 0) as mean_to_usual,
    max(place_share.inferred_place_share) as inferred_place_share,
    (sum(grouped.reported) >= 100 and min(grouped.smallest) = max(grouped.largest)
        and max(grouped.largest) <> 0 and max(series.unit) <> 'state')::int as constant_value
from grouped
join canonical.series using (series_id)
left join last_accepted using (load_id)
left join earlier_mean on earlier_mean.earlier_id = last_accepted.earlier_id and earlier_mean.measure = series.measure
left join place_share on place_share.load_id = grouped.load_id and place_share.measure = series.measure
group by 1, 2 order by 1, 2
