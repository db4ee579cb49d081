select
    record.reject_id,
    record.load_id,
    record.line,
    record.output,
    record.contract,
    record.value_name,
    record.reasons
from {{ source('rejected', 'record') }} as record
