{{ config(indexes=[{'columns': ['feed'], 'unique': True}]) }}

with newest as (
    select
        feed,
        max(known_at_max) filter (where status = 'accepted') as last_known_at,
        max(period_max) filter (where status = 'accepted') as last_period,
        max(accepted_at) as last_accepted_at,
        count(*) filter (where status = 'accepted') as accepted_loads,
        count(*) filter (where status = 'refused') as refused_loads,
        count(*) filter (where status = 'staged') as staged_loads
    from {{ ref('fct_load') }}
    group by feed
)

select
    feed.feed,
    feed.name_en,
    feed.name_zh,
    feed.owner,
    feed.as_of,
    feed.last_published_at,
    feed.last_accepted_published_at,
    feed.publications_not_accepted,
    newest.last_known_at,
    newest.last_period,
    newest.last_accepted_at,
    feed.expected_every,
    feed.lateness_tolerance,
    feed.due_at,
    feed.is_late,
    feed.late_because,
    coalesce(newest.accepted_loads, 0) as accepted_loads,
    coalesce(newest.refused_loads, 0) as refused_loads,
    coalesce(newest.staged_loads, 0) as staged_loads,
    feed.timezone,
    {{ local_times('feed.timezone', {
        'as_of': 'feed.as_of',
        'last_published_at': 'feed.last_published_at',
        'last_accepted_published_at': 'feed.last_accepted_published_at',
        'last_known_at': 'newest.last_known_at',
        'last_period': 'newest.last_period',
        'last_accepted_at': 'newest.last_accepted_at',
        'due_at': 'feed.due_at',
    }) }}
from {{ ref('dim_feed') }} as feed
left join newest on feed.feed = newest.feed
