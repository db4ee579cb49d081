{{ config(materialized='view') }}
{{ delta_view('fct_panel_change', ref('int_panel_change'), ref('int_usage_touched'), ['series_id', 'period_start']) }}
