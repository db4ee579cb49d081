-- Forecasts of others: one row per load.
with ordered as (
    select load_id, team, value, series_id,
        lag(value) over (partition by load_id, series_id, team, made_at, period_start order by quantile) as lower_value
    from canonical.external_forecast where load_id = any(%(loads)s)
)
select
    load_id,
    count(*) as rows,
    count(distinct team) as teams,
    count(distinct series_id) as series,
    avg(coalesce(value < lower_value, false)::int) as crossing_share
from ordered group by 1 order by 1
