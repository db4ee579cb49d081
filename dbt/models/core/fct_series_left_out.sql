{{ config(indexes=[{'columns': ['run_id', 'series_id'], 'unique': True}], tags=['forecast']) }}

select
    run_id,
    series_id,
    reason,
    detail
from {{ ref('stg_series_left_out') }}
