select
    identifier.place_id,
    identifier.system,
    identifier.value,
    identifier.valid_from,
    identifier.valid_to
from {{ source('canonical', 'facility_identifier') }} as identifier
