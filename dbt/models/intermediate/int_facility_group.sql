{#- Places that are one facility, by the matched pairs of the crosswalk; ambiguous pairs are never merged. -#}
{{ config(indexes=[{'columns': ['place_id'], 'unique': True}]) }}

with recursive linked as (
    select
        place_id,
        same_place_id
    from {{ ref('stg_facility_crosswalk') }}
    where status = 'matched'
    union
    select
        same_place_id,
        place_id
    from {{ ref('stg_facility_crosswalk') }}
    where status = 'matched'
),

reached as (
    select
        place_id,
        place_id as member_id
    from linked
    union
    select
        reached.place_id,
        linked.same_place_id
    from reached
    inner join linked on reached.member_id = linked.place_id
)

select distinct on (reached.place_id)
    reached.place_id,
    reached.member_id as facility_id
from reached
inner join {{ ref('stg_place') }} as place on reached.member_id = place.place_id
order by reached.place_id, place.id_system, place.code, place.place_level
