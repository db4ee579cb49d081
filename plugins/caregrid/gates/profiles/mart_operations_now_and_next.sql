-- The board: one row of aggregates.
select
    'operations_now_and_next' as mart,
    count(*) as rows,
    (count(*) = 0 and exists (select from build_core.fct_latest))::int as missing,
    avg((place_name_en is null and place_name_zh is null)::int) as nameless_share,
    avg((least(occupied_beds, waiting_persons, present_persons, capacity_beds) < 0)::int)
        as negative_share,
    avg((observed_period_start > as_of + interval '1 day')::int) as future_share,
    avg((age_minutes > 7 * 24 * 60)::int) as week_old_share,
    avg((occupancy_rate > 5)::int) filter (where occupancy_rate is not null) as absurd_occupancy_share,
    avg((overload_probability not between 0 and 1)::int) as impossible_probability_share,
    avg((peak_high < peak_median)::int) as crossing_share,
    avg((is_over_capacity is distinct from (occupied_beds > usable_beds))::int)
        filter (where occupied_beds is not null and usable_beds is not null) as wrong_flag_share
from build_marts.operations_now_and_next
