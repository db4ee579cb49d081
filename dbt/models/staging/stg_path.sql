select
    path.run_id,
    path.series_id,
    path.period_start,
    path.values
from {{ source('model_output', 'path') }} as path
