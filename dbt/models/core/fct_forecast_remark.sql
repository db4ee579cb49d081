{{ config(indexes=[{'columns': ['run_id', 'series_id'], 'unique': True}], tags=['forecast']) }}

select
    run_id,
    series_id,
    remark
from {{ ref('stg_remark') }}
