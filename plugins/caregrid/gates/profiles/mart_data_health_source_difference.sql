-- Two sources of one quantity: one row of aggregates.
select
    'data_health_source_difference' as mart,
    count(*) as rows,
    count(*) filter (where differing_periods > shared_periods) as impossible,
    sum(differing_periods)::float / nullif(sum(shared_periods), 0) as differing_share
from build_marts.data_health_source_difference
