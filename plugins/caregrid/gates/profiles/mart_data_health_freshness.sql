-- When each feed came last: one row of aggregates.
select
    'data_health_freshness' as mart,
    count(*) as rows,
    (count(*) = 0 and exists (select from build_core.fct_load))::int as missing,
    (
        select count(distinct feed) from build_core.fct_load where published_at > current_timestamp + interval '1 day'
    ) as feeds_from_the_future,
    count(*) filter (where last_accepted_published_at is not null and expected_every is not null and due_at is null)
        as feeds_without_due_time
from build_marts.data_health_freshness
