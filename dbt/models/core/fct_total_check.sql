{{ config(materialized='view') }}
{{ delta_view('fct_total_check', ref('int_total_check'), ref('int_total_touched'), ['series_id', 'period_start']) }}
