{{ config(materialized='view') }}
{{ delta_view('fct_observed_part', ref('int_observed_part'), ref('int_part_touched'), ['series_id', 'part']) }}
