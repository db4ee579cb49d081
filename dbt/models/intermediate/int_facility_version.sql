{#- Versions of a facility over all feeds, attribute by attribute in the declared order of precedence. -#}
{{ config(indexes=[{'columns': ['facility_id', 'valid_from'], 'unique': True}]) }}

with states as (
    select
        state.*,
        min(state.feed) over (partition by state.facility_id)
        <> max(state.feed) over (partition by state.facility_id) as has_several_feeds
    from {{ ref('int_facility_state') }} as state
),

moments as (
    select distinct
        facility_id,
        published_at
    from states
    where has_several_feeds
),

known_then as (
    select distinct on (moments.facility_id, moments.published_at, states.feed)
        moments.facility_id,
        moments.published_at,
        states.feed,
        states.attributes
    from moments
    inner join states
        on moments.facility_id = states.facility_id and moments.published_at >= states.published_at
    order by moments.facility_id, moments.published_at, states.feed, states.published_at desc
),

chosen as (
    select distinct on (known_then.facility_id, known_then.published_at, attribute.name)
        known_then.facility_id,
        known_then.published_at,
        attribute.name,
        attribute.value
    from known_then
    cross join lateral jsonb_each(known_then.attributes) as attribute (name, value)
    left join {{ ref('facility_precedence') }} as of_attribute
        on
            known_then.feed = of_attribute.feed
            and regexp_replace(attribute.name, '_system$', '') = of_attribute.attribute
    left join {{ ref('facility_precedence') }} as of_feed
        on known_then.feed = of_feed.feed and of_feed.attribute = '*'
    order by
        known_then.facility_id, known_then.published_at, attribute.name,
        coalesce(of_attribute.precedence, of_feed.precedence, 1000), known_then.feed
),

merged as (
    select
        facility_id,
        published_at,
        jsonb_object_agg(name, value) as attributes
    from chosen
    group by facility_id, published_at
    union all
    select
        facility_id,
        published_at,
        attributes
    from states
    where not has_several_feeds
),

-- Case, spaces and punctuation are no change: 2021 and 2026 differ by case in every county.
compared as (
    select
        merged.*,
        (
            lag(regexp_replace(lower(attributes::text), '[\s.,()#/-]+', '', 'g')) over published
            is distinct from regexp_replace(lower(attributes::text), '[\s.,()#/-]+', '', 'g')
        ) as is_change
    from merged
    window published as (partition by facility_id order by published_at)
)

select
    facility_id,
    published_at as valid_from,
    lead(published_at) over (partition by facility_id order by published_at) as valid_to,
    lead(published_at) over (partition by facility_id order by published_at) is null as is_current,
    attributes
from compared
where is_change
