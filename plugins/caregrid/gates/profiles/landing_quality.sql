-- Quality values: one row per load and measure.
select
    load_id,
    measure,
    count(*) as rows,
    count(distinct place_id) as places,
    count(distinct improvement_direction) as directions,
    count(distinct value_kind) as kinds,
    count(distinct unit) as units,
    min(value) as min_value,
    max(value) as max_value,
    avg((case unit when 'percent' then value not between 0 and 100 when 'rate' then value not between 0 and 1 end)::int)
        as over_bound_share,
    avg((value_status <> 'reported')::int) as missing_share,
    avg(coalesce(value_kind = 'ratio' and unit in ('percent', 'rate') and numerator > denominator, false)::int)
        as numerator_over_denominator_share
from canonical.quality where load_id = any(%(loads)s) group by 1, 2 order by 1, 2
