select
    forecast.run_id,
    forecast.area_id,
    forecast.period_start,
    forecast.period_end,
    forecast.horizon,
    forecast.quantile,
    forecast.value
from {{ source('model_output', 'area_forecast') }} as forecast
