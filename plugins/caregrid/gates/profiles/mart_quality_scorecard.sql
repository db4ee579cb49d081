-- The scorecard: one row of aggregates.
select
    'quality_scorecard' as mart,
    count(*) as rows,
    (count(*) = 0 and exists (select from build_core.fct_quality))::int as missing,
    count(distinct measure) as measures,
    avg((measure_name_en is null)::int) as nameless_measure_share,
    avg((value is null)::int) as without_value_share,
    avg((benchmark_value is not null and value is not null and against_benchmark is null)::int)
        as unjudged_share,
    avg((unit = 'percent' and value not between 0 and 100)::int) as impossible_percent_share,
    avg((period_end < period_start)::int) as reversed_share,
    avg((open_actions < 0 or done_actions < 0)::int) as negative_share
from build_marts.quality_scorecard
