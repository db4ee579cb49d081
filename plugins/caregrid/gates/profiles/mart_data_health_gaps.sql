-- Holes in time: one row of aggregates.
select
    'data_health_gaps' as mart,
    count(*) as rows,
    count(*) filter (where gap_end <= gap_start) as reversed,
    count(*) filter (where missing_periods < 1) as nothing_missing
from build_marts.data_health_gaps
