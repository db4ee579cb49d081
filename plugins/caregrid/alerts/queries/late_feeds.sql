-- Which of the feeds asked for are late, and what was said of the newest file that came since the last accepted one.
{%- from 'feed_lateness.sql' import feed_lateness %}
{%- import 'parts.sql' as parts %}
with now_of as (
    select * from unnest(
        %(feeds)s::text[], %(moments)s::timestamptz[], %(every)s::interval[], %(tolerance)s::interval[]
    ) as asked (feed, as_of, expected_every, lateness_tolerance)
),
lateness as (
    {{ feed_lateness('landing.file', 'raw.load', 'rejected.file', 'now_of') }}
)
select
    lateness.*,
    coalesce(refused.decision_reason, unreadable.code || ': ' || unreadable.reason) as reason,
    {{ parts.refusal_messages('refused.load_id') }} as messages
from lateness
left join lateral (
    select load.load_id, load.decision_reason from raw.load
    where load.file_id = lateness.later_file_id and load.status = 'refused'
    order by load.load_id desc limit 1
) as refused on lateness.late_because = 'refused'
left join lateral (
    select file.code, file.reason from rejected.file as file
    where file.file_id = lateness.later_file_id
    order by file.rejected_at desc limit 1
) as unreadable on lateness.late_because = 'unreadable'
