{{ config(indexes=[{'columns': ['run_id', 'series_id', 'horizon'], 'unique': True}], tags=['forecast']) }}

select
    risk.run_id,
    risk.series_id,
    risk.place_id,
    risk.horizon,
    risk.period_end,
    risk.capacity,
    risk.capacity_series_id,
    risk.probability,
    risk.is_over_now,
    risk.made_at,
    risk.known_at,
    risk.occupied_limit,
    risk.definition,
    risk.level,
    risk.made_at = max(risk.made_at) over (partition by risk.series_id) as is_newest
from {{ ref('stg_risk') }} as risk
