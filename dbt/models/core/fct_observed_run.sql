{{ config(materialized='view') }}
{{ delta_view('fct_observed_run', ref('int_observed_run'), ref('int_series_touched'), ['series_id']) }}
