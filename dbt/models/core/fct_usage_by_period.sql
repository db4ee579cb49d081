{{ config(materialized='view') }}
{{ delta_view('fct_usage_by_period', ref('int_usage_by_period'), ref('int_period_touched'), ['series_id', 'period_start']) }}
