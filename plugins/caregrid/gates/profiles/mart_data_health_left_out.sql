-- What was left out: one row of aggregates.
select
    'data_health_left_out' as mart,
    count(*) as rows,
    count(*) filter (where coalesce(reason, '') = '') as unexplained
from build_marts.data_health_left_out
