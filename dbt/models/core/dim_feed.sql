{{ config(indexes=[{'columns': ['feed'], 'unique': True}]) }}
with lateness as (
    {{ feed_lateness(ref('stg_landed_file'), ref('stg_load'), ref('stg_rejected_file'), ref('stg_feed')) }}
)

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
    lateness.last_published_at,
    lateness.last_accepted_published_at,
    lateness.later_files as publications_not_accepted,
    lateness.due_at,
    lateness.is_late,
    lateness.late_because
from {{ ref('stg_feed') }} as feed
left join lateness on feed.feed = lateness.feed
