{{ config(indexes=[{'columns': ['series_id'], 'unique': True}]) }}

-- A series is expected until the newest period of its feed at its grain, so that one that fell silent shows; that of a
-- place that has ended, until its end.
with per_series as (
    select
        run.series_id,
        min(run.first_ordinal) as first_ordinal,
        max(run.last_ordinal) as last_ordinal,
        sum(run.periods) as arrived_periods,
        sum(run.reported_periods) as reported_periods,
        min(run.started_at) as first_period_start,
        max(run.last_period_start) as last_period_start,
        max(run.ended_at) as last_period_end
    from {{ ref('fct_observed_run') }} as run
    group by run.series_id
),

-- The last day of places that are described as closed; where nobody says which, the day on which it became known.
ended as (
    select
        place.place_id,
        coalesce(facility.operating_to, facility.valid_from::date) as last_day
    from {{ ref('dim_place') }} as place
    inner join {{ ref('dim_facility') }} as facility
        on place.facility_id = facility.facility_id and facility.is_current
    where not facility.is_open
),

expected as (
    select
        per_series.*,
        series.feed,
        series.grain,
        max(per_series.last_ordinal) over (
            partition by series.feed, series.grain, series.timezone, series.measure
        ) as newest_of_feed,
        {{ period_ordinal(
            '(ended.last_day::timestamp at time zone series.timezone)', 'series.grain', 'series.timezone'
        ) }} as ordinal_of_end
    from per_series
    inner join {{ ref('dim_series') }} as series on per_series.series_id = series.series_id
    left join ended on series.place_id = ended.place_id
),

bounded as (
    select
        expected.*,
        -- what came after the end came all the same
        greatest(last_ordinal, least(newest_of_feed, ordinal_of_end)) as newest_ordinal
    from expected
)

select
    series_id,
    first_period_start,
    last_period_start,
    last_period_end,
    first_ordinal,
    last_ordinal,
    newest_ordinal,
    newest_ordinal - first_ordinal + 1 as expected_periods,
    arrived_periods::bigint as arrived_periods,
    reported_periods::bigint as reported_periods,
    newest_ordinal - first_ordinal + 1 - arrived_periods::bigint as missing_periods,
    arrived_periods::double precision / (newest_ordinal - first_ordinal + 1) as coverage_rate,
    newest_ordinal - last_ordinal as silent_periods
from bounded
