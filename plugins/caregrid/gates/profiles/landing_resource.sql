-- Resources: one row per load.
select
    load_id,
    count(*) as rows,
    count(distinct place_id) as places,
    1 - count(distinct (place_id, resource_type, name, valid_from))::float / count(*) as repeated_share
from canonical.resource where load_id = any(%(loads)s) group by 1 order by 1
