select
    left_out.run_id,
    left_out.series_id,
    left_out.reason,
    left_out.detail
from {{ source('model_output', 'series_left_out') }} as left_out
