{#-
    What each feed had said of a facility by each of its publications: later blanks erase nothing known. Where a feed's
    source is complete, being absent from a later version is said as is_listed = false, once.
-#}
{{ config(indexes=[{'columns': ['facility_id', 'feed', 'published_at'], 'unique': True}]) }}

with described as (
    select
        facility.place_id,
        facility.feed,
        facility.source,
        facility.published_at,
        facility.load_rank,
        facility.line,
        facility.source = any(feed.complete_sources) as is_complete,
        jsonb_strip_nulls(jsonb_build_object(
            'name', nullif(btrim(facility.name), ''),
            'name_local', nullif(btrim(facility.name_local), ''),
            'facility_type', nullif(btrim(facility.facility_type), ''),
            'ownership', nullif(btrim(facility.ownership), ''),
            'address', nullif(btrim(facility.address), ''),
            'city', nullif(btrim(facility.city), ''),
            'postal_code', nullif(btrim(facility.postal_code), ''),
            'region_code', nullif(btrim(facility.region_code), ''),
            -- whose code and whose name it is goes where the code and the name go
            'region_code_system',
            case
                when btrim(facility.region_code) <> ''
                    then coalesce(of_code.code_system, facility.feed || '/region_code')
            end,
            'region_name', nullif(btrim(facility.region_name), ''),
            'region_name_system',
            case
                when btrim(facility.region_name) <> ''
                    then coalesce(of_name.code_system, of_code.code_system, facility.feed || '/region_code')
            end,
            'county_name', nullif(btrim(facility.county_name), ''),
            'country_code', nullif(btrim(facility.country_code), ''),
            'latitude', facility.latitude,
            'longitude', facility.longitude,
            'phone', nullif(btrim(facility.phone), ''),
            'opening_hours', nullif(btrim(facility.opening_hours), ''),
            'service_slots', facility.service_slots,
            'services', facility.services,
            'accreditation', nullif(btrim(facility.accreditation), ''),
            'parent_network', nullif(btrim(facility.parent_network), ''),
            'status', facility.status,
            'operating_from', facility.valid_from,
            'operating_to', facility.valid_to
        )) as attributes
    from {{ ref('stg_facility') }} as facility
    left join {{ ref('stg_feed') }} as feed on facility.feed = feed.feed
    left join {{ ref('code_use') }} as of_code
        on facility.feed = of_code.feed and of_code.used_as = 'region_code'
    left join {{ ref('code_use') }} as of_name
        on facility.feed = of_name.feed and of_name.used_as = 'region_name'
),

versions as (
    select
        version.feed,
        version.source,
        version.published_at,
        lead(version.published_at) over (
            partition by version.feed, version.source order by version.published_at
        ) as next_published_at
    from (
        select distinct
            feed,
            source,
            published_at
        from described
        where is_complete
    ) as version
),

said as (
    select
        place_id,
        feed,
        published_at,
        load_rank,
        line,
        case when is_complete then attributes || '{"is_listed": true}' else attributes end as attributes
    from described
    union all
    select distinct
        listed.place_id,
        listed.feed,
        versions.next_published_at,
        0::bigint,
        0,
        '{"is_listed": false}'::jsonb
    from described as listed
    inner join versions
        on
            listed.feed = versions.feed and listed.source = versions.source
            and listed.published_at = versions.published_at
    where
        versions.next_published_at is not null
        and not exists (
            select 1 from described as later
            where
                later.place_id = listed.place_id and later.feed = listed.feed and later.source = listed.source
                and later.published_at = versions.next_published_at
        )
),

carried as (
    select
        coalesce(grouped.facility_id, said.place_id) as facility_id,
        said.feed,
        said.published_at,
        build_staging.jsonb_merge(said.attributes) over said_so_far as attributes,
        row_number() over (
            partition by coalesce(grouped.facility_id, said.place_id), said.feed, said.published_at
            order by said.load_rank desc, said.line desc, said.place_id desc
        ) as last_first
    from said
    left join {{ ref('int_facility_group') }} as grouped on said.place_id = grouped.place_id
    window said_so_far as (
        partition by coalesce(grouped.facility_id, said.place_id), said.feed
        order by said.published_at, said.load_rank, said.line, said.place_id
        rows unbounded preceding
    )
)

select
    facility_id,
    feed,
    published_at,
    attributes
from carried
where last_first = 1
