-- The newest value of every series of one measure, beside the capacity of the same place and service.
{%- import 'parts.sql' as parts %}
{%- import 'state_now.sql' as state_now %}
with now_of as (
    {{ parts.now_of() }}
),
newest as (
    select
        {{ parts.series_columns() }},
        {{ state_now.value_now('series', 'latest', 'now_of.as_of') }} as value,
        {{ state_now.is_over('series', 'latest', 'now_of.as_of') }} as is_over,
        {{ state_now.said_at('series', 'latest', 'now_of.as_of') }} as said_at,
        {{ state_now.is_bounded_state('series') }} as is_bounded,
        {{ state_now.grain_order('series') }} as grain_order,
        series.grain,
        (
            series.subset_of is not null, 'place' = any(series.total_over), cardinality(series.total_over) > 0,
            (select count(*) from jsonb_object_keys(series.dimensions))
        ) as breakdown_order,
        latest.reporting_units,
        latest.period_start,
        latest.period_end,
        latest.known_at,
        capacity.value as capacity
    from canonical.latest
    join canonical.series using (series_id)
    join canonical.place using (place_id)
    left join now_of on now_of.feed = series.feed
    {{ parts.join_capacity() }}
    where {{ parts.is_asked_for() }}
        and latest.value is not null
),
grouped as (
    select
        newest.*,
        max(said_at) over (partition by feed, place_id, service_or_resource, grain_order, breakdown_order) as group_said_at,
        max(period_start) over (
            partition by feed, place_id, service_or_resource, grain_order, breakdown_order
        ) as newest_start
    from newest
),
ranked as (
    select
        grouped.*,
        dense_rank() over (
            partition by feed, place_id, service_or_resource order by group_said_at desc, grain_order, breakdown_order
        ) as speaker_rank
    from grouped
)
-- Of several series of one state, those of which the last word came speak for now, as on the board: a reason given this
-- morning does not outlive the word that came since. Amounts stand each for themselves.
select
    *,
    unit <> 'state' or (speaker_rank = 1 and (is_bounded or period_start = newest_start)) as speaks_for_now
from ranked
