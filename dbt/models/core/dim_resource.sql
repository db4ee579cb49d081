{{ config(indexes=[{'columns': ['place_id', 'resource_type', 'name'], 'unique': True}]) }}

with newest as (
    select distinct on (place_id, resource_type, coalesce(name, ''))
        place_id,
        resource_type,
        coalesce(name, '') as name,
        feed,
        valid_from,
        valid_to,
        min(published_at) over (partition by place_id, resource_type, coalesce(name, '')) as first_published_at,
        published_at as last_published_at,
        load_id,
        line
    from {{ ref('stg_resource') }}
    order by place_id, resource_type, coalesce(name, ''), published_at desc, load_rank desc, line desc
)

select
    newest.place_id,
    newest.resource_type,
    newest.name,
    newest.feed,
    newest.valid_from,
    newest.valid_to,
    newest.first_published_at,
    newest.last_published_at,
    -- a closed site has no capacity
    coalesce(place.is_open, true) and newest.valid_to is null as exists_now,
    newest.load_id,
    newest.line
from newest
left join {{ ref('dim_place') }} as place on newest.place_id = place.place_id
