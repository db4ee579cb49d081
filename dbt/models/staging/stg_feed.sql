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
    feed.complete_sources,
    feed.contracts,
    feed.left_out,
    feed.as_of
from {{ source('ledger', 'feed') }} as feed
