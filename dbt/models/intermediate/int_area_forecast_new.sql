{#- The forecasts of areas of the runs not served yet. -#}
{{ config(tags=['forecast'], indexes=[
    {'columns': ['run_id', 'area_id', 'period_start', 'quantile'], 'unique': True},
]) }}
select
    forecast.run_id,
    forecast.area_id,
    forecast.period_start,
    forecast.quantile,
    forecast.period_end,
    forecast.horizon,
    forecast.value
from {{ ref('stg_area_forecast') }} as forecast
inner join {{ ref('int_area_forecast_run_new') }} as run on forecast.run_id = run.run_id
