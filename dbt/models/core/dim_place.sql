{{ config(indexes=[{'columns': ['place_id'], 'unique': True}]) }}

select
    place.place_id,
    place.place_level,
    place.id_system,
    place.code,
    coalesce(facility.name_en, place.name, place.code) as name_en,
    coalesce(facility.name_zh, place.name, place.code) as name_zh,
    coalesce(grouped.facility_id, facility.facility_id) as facility_id,
    coalesce(facility.country_code, place.country_code) as country_code,
    case
        when place.place_level in ('region', 'province') then place.code else facility.region_code
    end as region_code,
    case
        when place.place_level in ('region', 'province') then coalesce(place.name, place.code)
        else coalesce(facility.region_name, facility.region_code)
    end as region_name,
    facility.city,
    facility.latitude,
    facility.longitude,
    facility.facility_type,
    facility.parent_network,
    facility.is_open,
    place.timezone,
    place.is_inferred and facility.facility_id is null as is_inferred
from {{ ref('stg_place') }} as place
left join {{ ref('int_facility_group') }} as grouped on place.place_id = grouped.place_id
left join {{ ref('dim_facility') }} as facility
    on coalesce(grouped.facility_id, place.place_id) = facility.facility_id and facility.is_current
