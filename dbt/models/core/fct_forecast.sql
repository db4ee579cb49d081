{{ config(materialized='view', tags=['forecast']) }}
{{ delta_view('fct_forecast', ref('int_forecast_new'), ref('int_forecast_run_new'), ['run_id']) }}
