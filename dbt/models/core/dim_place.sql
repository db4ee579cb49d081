{{ config(indexes=[{'columns': ['place_id'], 'unique': True}]) }}

-- Regions, provinces and countries are codes of their id_system: the terminology names those that the feeds only code.
with named as (
    select
        place.place_id,
        place.place_level,
        place.id_system,
        place.code,
        place.timezone,
        place.is_inferred,
        place.place_level in ('region', 'province') as is_region,
        coalesce(facility.name_en, code.meaning_en, place.name, code.meaning_zh, place.code) as name_en,
        coalesce(
            facility.name_zh, code.meaning_zh, case when {{ has_chinese('place.name') }} then place.name end,
            code.meaning_en, place.name, place.code
        ) as name_zh,
        coalesce(grouped.facility_id, facility.facility_id) as facility_id,
        coalesce(facility.country_code, place.country_code) as country_code,
        facility.facility_id is not null as is_described,
        facility.region_code_system,
        facility.region_code,
        facility.region_name_en,
        facility.region_name_zh,
        facility.city,
        facility.latitude,
        facility.longitude,
        facility.facility_type,
        facility.parent_network,
        facility.is_open
    from {{ ref('stg_place') }} as place
    left join {{ ref('int_facility_group') }} as grouped on place.place_id = grouped.place_id
    left join {{ ref('dim_facility') }} as facility
        on coalesce(grouped.facility_id, place.place_id) = facility.facility_id and facility.is_current
    left join {{ ref('dim_code') }} as code
        on
            place.id_system = code.code_system and place.code = code.code
            and place.place_level in ('region', 'province', 'country')
),

located as (
    select
        named.*,
        case when is_region then id_system else region_code_system end as system_of_region,
        case when is_region then code else region_code end as code_of_region,
        case when is_region then name_en else region_name_en end as english_region,
        case when is_region then name_zh else region_name_zh end as chinese_region
    from named
)

select
    place_id,
    place_level,
    id_system,
    code,
    name_en,
    name_zh,
    facility_id,
    country_code,
    case
        when code_of_region is not null
            then coalesce(country_code, '-') || '/' || system_of_region || '/' || code_of_region
        -- a name without a code is a region all the same
        when chinese_region is not null then coalesce(country_code, '-') || '/' || chinese_region
    end as region_key,
    case when code_of_region is not null then system_of_region end as region_code_system,
    code_of_region as region_code,
    english_region as region_name_en,
    chinese_region as region_name_zh,
    city,
    latitude,
    longitude,
    facility_type,
    parent_network,
    is_open,
    timezone,
    is_inferred and not is_described as is_inferred
from located
