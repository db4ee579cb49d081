{{ config(indexes=[{'columns': ['facility_id', 'valid_from'], 'unique': True}]) }}

-- Names of regions as their system writes them, for feeds that publish the name alone: some systems give several codes
-- to one name.
with region_word as (
    select
        code.code_system,
        word.name,
        min(code.meaning_en) as meaning_en,
        min(code.meaning_zh) as meaning_zh
    from {{ ref('dim_code') }} as code
    cross join lateral (values (code.meaning_en), (code.meaning_zh)) as word (name)
    where word.name is not null
    group by code.code_system, word.name
    having count(distinct code.meaning_en) <= 1 and count(distinct code.meaning_zh) <= 1
)

select
    version.facility_id,
    version.valid_from,
    version.valid_to,
    version.is_current,
    place.id_system,
    place.code,
    version.attributes ->> 'name' as name,
    coalesce(
        case when not {{ has_chinese("version.attributes ->> 'name'") }} then version.attributes ->> 'name' end,
        case
            when not {{ has_chinese("version.attributes ->> 'name_local'") }} then version.attributes ->> 'name_local'
        end,
        version.attributes ->> 'name', place.name, place.code
    ) as name_en,
    coalesce(
        case when {{ has_chinese("version.attributes ->> 'name_local'") }} then version.attributes ->> 'name_local' end,
        version.attributes ->> 'name', place.name, place.code
    ) as name_zh,
    version.attributes ->> 'facility_type' as facility_type,
    version.attributes ->> 'ownership' as ownership,
    version.attributes ->> 'address' as address,
    version.attributes ->> 'city' as city,
    version.attributes ->> 'postal_code' as postal_code,
    version.attributes ->> 'region_code_system' as region_code_system,
    version.attributes ->> 'region_code' as region_code,
    version.attributes ->> 'region_name' as region_name,
    coalesce(
        region.meaning_en, region_word.meaning_en, version.attributes ->> 'region_name', region.meaning_zh,
        version.attributes ->> 'region_code'
    ) as region_name_en,
    coalesce(
        region.meaning_zh, region_word.meaning_zh,
        case when {{ has_chinese("version.attributes ->> 'region_name'") }} then version.attributes ->> 'region_name' end,
        region.meaning_en, version.attributes ->> 'region_name', version.attributes ->> 'region_code'
    ) as region_name_zh,
    version.attributes ->> 'county_name' as county_name,
    coalesce(version.attributes ->> 'country_code', place.country_code) as country_code,
    (version.attributes ->> 'latitude')::double precision as latitude,
    (version.attributes ->> 'longitude')::double precision as longitude,
    version.attributes ->> 'phone' as phone,
    version.attributes ->> 'opening_hours' as opening_hours,
    version.attributes -> 'service_slots' as service_slots,
    version.attributes -> 'services' as services,
    version.attributes ->> 'accreditation' as accreditation,
    version.attributes ->> 'parent_network' as parent_network,
    version.attributes ->> 'status' as status,
    (version.attributes ->> 'operating_from')::date as operating_from,
    (version.attributes ->> 'operating_to')::date as operating_to,
    (version.attributes ->> 'is_listed')::boolean as is_listed,
    coalesce(version.attributes ->> 'status', 'open') = 'open'
    and coalesce((version.attributes ->> 'is_listed')::boolean, true)
    and coalesce((version.attributes ->> 'operating_to')::date >= version.valid_from::date, true) as is_open
from {{ ref('int_facility_version') }} as version
inner join {{ ref('stg_place') }} as place on version.facility_id = place.place_id
left join {{ ref('dim_code') }} as region
    on
        version.attributes ->> 'region_code_system' = region.code_system
        and version.attributes ->> 'region_code' = region.code
left join region_word
    on
        version.attributes ->> 'region_name_system' = region_word.code_system
        and version.attributes ->> 'region_name' = region_word.name
