-- Which expected reports arrived: one row of aggregates.
select
    'data_health_coverage' as mart,
    count(*) as rows,
    (count(*) = 0 and exists (select from build_core.fct_usage))::int as missing,
    count(*) filter (where coverage_rate not between 0 and 1) as impossible_rates,
    count(*) filter (where arrived_reports > expected_reports) as more_than_expected,
    sum(arrived_reports)::float / nullif(sum(expected_reports), 0) as overall_rate
from build_marts.data_health_coverage
