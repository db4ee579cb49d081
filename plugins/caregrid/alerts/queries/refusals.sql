-- Loads that the gate refused and files that could not be read, and when something better came in their stead:
-- the same file after all, or (once the refusal was told) a younger file of the same source.
{%- import 'parts.sql' as parts %}
with told as (
    select * from unnest(%(subjects)s::text[], %(told)s::timestamptz[]) as event (subject, told_at)
),
failed as (
    select
        'load:' || load.load_id as subject, load.feed, load.source, load.load_id, load.file_id,
        load.decision_reason as reason, load.refused_at as failed_at
    from raw.load where load.status = 'refused'
    union all
    select
        'file:' || rejected.file_id, rejected.feed, file.source, null, rejected.file_id,
        rejected.code || ': ' || rejected.reason, rejected.rejected_at
    from rejected.file as rejected
    join landing.file using (file_id)
)
select
    failed.*,
    file.uri,
    file.published_at,
    {{ parts.refusal_messages("failed.load_id") }} as messages,
    exists (
        select from raw.load as better
        join landing.file as better_file using (file_id)
        where better.feed = failed.feed and better.source = failed.source and better.accepted_at is not null
            and (
                better.file_id = failed.file_id
                or (better_file.published_at >= file.published_at and better.accepted_at > told.told_at)
            )
    ) as is_made_good
from failed
join landing.file using (file_id)
left join told using (subject)
where failed.failed_at > %(since)s or told.told_at is not null
order by failed.failed_at, failed.subject
