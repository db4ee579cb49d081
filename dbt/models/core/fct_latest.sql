{{ config(indexes=[{'columns': ['series_id'], 'unique': True}]) }}
select
    series_id,
    period_start,
    period_end,
    known_at,
    value,
    value_status,
    is_provisional,
    reporting_units,
    known_at_is_assumed,
    observed_at,
    load_id,
    line
from {{ ref('stg_latest') }}
