select
    forecast.run_id,
    forecast.series_id,
    forecast.period_start,
    forecast.period_end,
    forecast.horizon,
    forecast.quantile,
    forecast.value,
    forecast.made_at,
    forecast.known_at
from {{ source('model_output', 'forecast') }} as forecast
