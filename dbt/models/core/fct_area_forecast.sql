{{ config(materialized='view', tags=['forecast']) }}
{{ delta_view('fct_area_forecast', ref('int_area_forecast_new'), ref('int_area_forecast_run_new'), ['run_id']) }}
