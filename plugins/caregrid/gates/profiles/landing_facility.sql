-- Facility descriptions: one row per load.
select
    load_id,
    count(*) as rows,
    count(distinct place_id) as places,
    avg((name is null and name_local is null)::int) as name_missing_share,
    case when count(latitude) >= 10 then count(distinct latitude) end as distinct_latitudes,
    case when count(longitude) >= 10 then count(distinct longitude) end as distinct_longitudes,
    1 - count(distinct place_id)::float / count(*) as repeated_place_share,
    avg((status = 'closed')::int) as closed_share,
    avg((country_code is null)::int) as country_missing_share
from canonical.facility where load_id = any(%(loads)s) group by 1 order by 1
