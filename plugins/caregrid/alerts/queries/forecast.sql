-- The newest forecast of every series of one measure: the worst period that has not passed, if one has not, beside the
-- value and the capacity now.
{%- import 'parts.sql' as parts %}
with run as (
    {{ parts.newest_run() }}
),
now_of as (
    {{ parts.now_of() }}
),
worst as (
    select distinct on (forecast.series_id)
        forecast.series_id, forecast.period_start, forecast.period_end, forecast.value, forecast.horizon, run.made_at,
        forecast.period_end <= now_of.as_of as has_passed
    from model_output.forecast
    join run using (run_id)
    join canonical.series using (series_id)
    join now_of using (feed)
    where series.measure = %(measure)s
        and abs(forecast.quantile - %(quantile)s) < 0.000001
        and forecast.horizon <= %(horizon_at_most)s
    order by forecast.series_id, has_passed, forecast.value * %(sign)s desc, forecast.period_start
)
select
    {{ parts.series_columns() }},
    worst.value,
    worst.period_end,
    worst.horizon,
    worst.made_at,
    worst.has_passed,
    latest.value as value_now,
    capacity.value as capacity
from worst
join canonical.series using (series_id)
join canonical.place using (place_id)
left join canonical.latest using (series_id)
{{ parts.join_capacity() }}
where {{ parts.is_asked_for() }}
