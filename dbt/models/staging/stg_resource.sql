select
    resource.load_id,
    resource.line,
    resource.place_id,
    resource.resource_type,
    resource.name,
    resource.published_at,
    resource.known_at,
    resource.known_at_is_assumed,
    resource.valid_from,
    resource.valid_to,
    resource.extra,
    load.feed,
    load.source,
    load.load_rank
from {{ source('canonical', 'resource') }} as resource
inner join {{ ref('stg_load') }} as load on resource.load_id = load.load_id
where load.is_accepted
