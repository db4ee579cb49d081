select
    file.rejected_file_id,
    file.file_id,
    file.feed,
    file.mapping_version,
    file.code,
    file.reason,
    file.rejected_at
from {{ source('rejected', 'file') }} as file
