{{ config(indexes=[{'columns': ['feed', 'what', 'kind'], 'unique': True}]) }}

-- What the feeds leave out by declaration, and the files that could not be read.
with declared as (
    select
        feed.feed,
        entry.value ->> 'what' as what,
        'declared' as kind,
        entry.value ->> 'reason' as reason
    from {{ ref('stg_feed') }} as feed
    cross join lateral jsonb_array_elements(feed.left_out) as entry (value)
    union all
    select
        file.feed,
        coalesce(landed.uri || case landed.member when '' then '' else ' ' || landed.member end, file.file_id::text),
        'unreadable file',
        file.code || ': ' || file.reason
    from {{ ref('stg_rejected_file') }} as file
    left join {{ ref('stg_landed_file') }} as landed on file.file_id = landed.file_id
)

select distinct on (feed, what, kind)
    feed,
    what,
    kind,
    reason
from declared
where what is not null
order by feed, what, kind, reason
