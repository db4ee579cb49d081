-- The newest risk of every series: the highest probability within a horizon that has not passed, if one has not.
{%- import 'parts.sql' as parts %}
with run as (
    {{ parts.newest_run() }}
),
now_of as (
    {{ parts.now_of() }}
),
worst as (
    select distinct on (risk.series_id)
        risk.*,
        risk.period_end <= now_of.as_of as has_passed
    from model_output.risk
    join run using (run_id)
    join canonical.series using (series_id)
    join now_of using (feed)
    where risk.horizon <= %(horizon_at_most)s
    order by risk.series_id, has_passed, risk.probability desc, risk.horizon
)
select
    {{ parts.series_columns() }},
    worst.probability as value,
    worst.period_end,
    worst.horizon,
    worst.made_at,
    worst.is_over_now,
    worst.has_passed,
    worst.capacity,
    worst.occupied_limit,
    worst.definition,
    latest.value as value_now
from worst
join canonical.series using (series_id)
join canonical.place on place.place_id = worst.place_id
left join canonical.latest using (series_id)
where {{ parts.is_of_feeds() }}
