-- When each feed last published, as far as we have received it, not counting what lies after its own now.
select file.feed, max(file.published_at) as published_at, bool_or(file.published_at_is_assumed) as is_assumed
from landing.file
join unnest(%(feeds)s::text[], %(moments)s::timestamptz[]) as now_of (feed, as_of) using (feed)
where file.published_at <= now_of.as_of
group by 1
