select
    forecast.load_id,
    forecast.line,
    forecast.series_id,
    forecast.team,
    forecast.made_at,
    forecast.period_start,
    forecast.period_end,
    forecast.horizon,
    forecast.quantile,
    forecast.value,
    forecast.known_at,
    forecast.known_at_is_assumed,
    load.feed,
    load.source,
    load.load_rank
from {{ source('canonical', 'external_forecast') }} as forecast
inner join {{ ref('stg_load') }} as load on forecast.load_id = load.load_id
where load.is_accepted
