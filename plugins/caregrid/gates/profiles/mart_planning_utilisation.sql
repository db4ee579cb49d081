-- Usage, frequency and utilisation: one row of aggregates.
select
    'planning_utilisation' as mart,
    count(*) as rows,
    (count(*) = 0 and exists (select from build_core.fct_usage))::int as missing,
    avg((least(uses, minutes_used, arrivals_persons, admissions_persons, discharges_persons, occupied_bed_days,
        staffed_bed_days, mean_occupied_beds) < 0)::int) as negative_share,
    avg((period_end < period_start)::int) as reversed_share,
    avg((coverage_rate not between 0 and 1)::int) as impossible_coverage_share,
    avg((over_capacity_rate not between 0 and 1)::int) as impossible_rate_share,
    avg((utilisation_rate > 3 or occupancy_rate > 5)::int) as absurd_share,
    avg((places_reporting > places_expected)::int) as more_places_than_expected_share
from build_marts.planning_utilisation
