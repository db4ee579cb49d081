-- Resources: one row per load.
select
    load_id,
    count(*) as rows,
    count(distinct place_id) as places,
    1 - count(distinct (place_id, resource_type, name, valid_from))::float / count(*) as repeated_share,
    avg(coalesce(valid_to < valid_from, false)::int) as ended_before_begun_share
from canonical.resource where load_id = any(%(loads)s) group by 1 order by 1
