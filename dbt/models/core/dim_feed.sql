{{ config(indexes=[{'columns': ['feed'], 'unique': True}]) }}
select
    feed.feed,
    feed.name_en,
    feed.name_zh,
    feed.owner,
    feed.owner_name,
    feed.visibility,
    feed.country_code,
    feed.timezone,
    feed.expected_every,
    feed.lateness_tolerance,
    feed.licence,
    feed.provenance,
    feed.contracts,
    feed.as_of,
    (
        select max(file.published_at)
        from {{ ref('stg_landed_file') }} as file
        where file.feed = feed.feed and file.published_at <= feed.as_of
    ) as last_published_at
from {{ ref('stg_feed') }} as feed
