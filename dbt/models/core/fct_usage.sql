{{ config(materialized='view') }}
{{ delta_view('fct_usage', ref('int_usage_rebuilt'), ref('int_usage_touched'), ['series_id', 'period_start']) }}
