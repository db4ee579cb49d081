{#- The runs whose forecasts of areas are not served yet. -#}
{{ config(tags=['forecast'], indexes=[{'columns': ['run_id'], 'unique': True}]) }}
{{ runs_not_served('fct_area_forecast', ref('stg_forecast_run'), ref('stg_area_forecast')) }}
