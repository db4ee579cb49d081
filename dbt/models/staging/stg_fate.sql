select
    fate.load_id,
    fate.output,
    fate.fate,
    fate.lines,
    fate.row_count
from {{ source('raw', 'fate') }} as fate
