select
    file.file_id,
    file.feed,
    file.source,
    file.uri,
    file.member,
    file.sha256,
    file.byte_size,
    file.published_at
from {{ source('landing', 'file') }} as file
