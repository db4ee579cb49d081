{#- The forecasts of the runs not served yet. -#}
{{ config(tags=['forecast'], indexes=[
    {'columns': ['run_id', 'series_id', 'period_start', 'quantile'], 'unique': True},
    {'columns': ['series_id', 'made_at']},
]) }}
select
    forecast.run_id,
    forecast.series_id,
    forecast.period_start,
    forecast.quantile,
    forecast.period_end,
    forecast.horizon,
    forecast.value,
    forecast.made_at,
    forecast.known_at
from {{ ref('stg_forecast') }} as forecast
inner join {{ ref('int_forecast_run_new') }} as run on forecast.run_id = run.run_id
