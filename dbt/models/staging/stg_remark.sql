select
    remark.run_id,
    remark.series_id,
    remark.remark
from {{ source('model_output', 'remark') }} as remark
