{{ config(materialized='view') }}
{{ delta_view('fct_load', ref('int_load'), ref('int_load_touched'), ['load_id']) }}
