-- The newest risk of every series: the highest probability within the horizon.
{%- import 'parts.sql' as parts %}
with run as (
    {{ parts.newest_runs() }}
),
newest as (
    select risk.*, run.made_at as run_made_at,
        max(run.made_at) over (partition by risk.series_id) as newest_made_at
    from model_output.risk
    join run using (run_id)
    where risk.horizon <= %(horizon_at_most)s
),
worst as (
    select distinct on (series_id) *
    from newest where run_made_at = newest_made_at
    order by series_id, probability desc, horizon
)
select
    {{ parts.series_columns() }},
    worst.probability as value,
    worst.period_end,
    worst.horizon,
    worst.made_at,
    worst.is_over_now,
    worst.capacity,
    latest.value as value_now
from worst
join canonical.series using (series_id)
join canonical.place on place.place_id = worst.place_id
left join canonical.latest using (series_id)
where {{ parts.is_of_feeds() }}
