select
    crosswalk.place_id,
    crosswalk.same_place_id,
    crosswalk.method,
    crosswalk.score,
    crosswalk.status,
    crosswalk.reviewer
from {{ source('canonical', 'facility_crosswalk') }} as crosswalk
