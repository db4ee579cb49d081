{{ config(materialized='view') }}
{{ delta_view('fct_occupancy', ref('int_capacity'), ref('int_usage_touched'), ['series_id', 'period_start']) }}
