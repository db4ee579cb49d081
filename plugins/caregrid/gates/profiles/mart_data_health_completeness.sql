-- Attributes that are empty: one row of aggregates.
select
    'data_health_completeness' as mart,
    count(*) as rows,
    count(*) filter (where null_count > row_count or null_share not between 0 and 1) as impossible
from build_marts.data_health_completeness
