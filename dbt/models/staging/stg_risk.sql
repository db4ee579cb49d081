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
    risk.level
from {{ source('model_output', 'risk') }} as risk
