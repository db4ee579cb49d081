{#- The runs whose forecasts are not served yet. -#}
{{ config(tags=['forecast'], indexes=[{'columns': ['run_id'], 'unique': True}]) }}
{{ runs_not_served('fct_forecast', ref('stg_forecast_run'), ref('stg_forecast')) }}
