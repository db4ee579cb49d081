{{ config(indexes=[{'columns': ['facility_id', 'valid_from'], 'unique': True}]) }}

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
    version.attributes ->> 'region_code' as region_code,
    version.attributes ->> 'region_name' as region_name,
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
