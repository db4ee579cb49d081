select
    place.place_id,
    place.place_level,
    place.id_system,
    place.code,
    place.name,
    place.country_code,
    place.timezone,
    place.is_inferred
from {{ source('canonical', 'place') }} as place
