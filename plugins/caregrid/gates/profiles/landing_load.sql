-- The load as a whole: one row per load, whatever it holds.
with chosen as (
    select load_id, file_id, feed, source, mapping, known_at_max from raw.load where load_id = any(%(loads)s)
),
counted as (
    select load_id, 'facility' as contract, count(*) as rows from canonical.facility
    where load_id = any(%(loads)s) group by 1
    union all select load_id, 'resource', count(*) from canonical.resource where load_id = any(%(loads)s) group by 1
    union all select load_id, 'usage', count(*) from canonical.usage where load_id = any(%(loads)s) group by 1
    union all select load_id, 'quality', count(*) from canonical.quality where load_id = any(%(loads)s) group by 1
    union all select load_id, 'improvement_action', count(*) from canonical.improvement_action
    where load_id = any(%(loads)s) group by 1
    union all select load_id, 'external_forecast', count(*) from canonical.external_forecast
    where load_id = any(%(loads)s) group by 1
),
rows_of as (
    select load_id, sum(rows)::bigint as rows, array_agg(contract order by contract) as contracts
    from counted group by 1
),
rejected as (
    select load_id, count(distinct line) as records from rejected.record where load_id = any(%(loads)s) group by 1
),
fate as (
    select
        load_id,
        range_agg(lines) filter (where fate <> 'received') as set_aside,
        coalesce(sum(row_count) filter (where fate = 'received'), 0)::bigint as received_count,
        coalesce(sum(row_count) filter (where fate = 'duplicate'), 0)::bigint as duplicate_count
    from raw.fate where load_id = any(%(loads)s) and output = '' group by 1
),
-- A record that became rows or rejects, each once; none of them may have been set aside as well.
became as (
    select line_of.load_id, count(*) as records, count(*) filter (where line_of.line <@ fate.set_aside) as also_set_aside
    from (
        select load_id, line from canonical.facility where load_id = any(%(loads)s)
        union select load_id, line from canonical.resource where load_id = any(%(loads)s)
        union select load_id, line from canonical.usage where load_id = any(%(loads)s)
        union select load_id, line from canonical.quality where load_id = any(%(loads)s)
        union select load_id, line from canonical.improvement_action where load_id = any(%(loads)s)
        union select load_id, line from canonical.external_forecast where load_id = any(%(loads)s)
        union select load_id, line from rejected.record where load_id = any(%(loads)s)
    ) as line_of
    left join fate using (load_id)
    group by 1
),
usual as (
    select
        chosen.load_id,
        count(*) as loads,
        min(earlier.received) as smallest,
        percentile_cont(0.5) within group (order by earlier.received) as median
    from chosen
    cross join lateral (
        select coalesce(fate.row_count, 0) as received
        from raw.load as past
        left join raw.fate on fate.load_id = past.load_id and fate.output = '' and fate.fate = 'received'
        where past.feed = chosen.feed and past.source = chosen.source and past.status = 'accepted'
            and past.load_id <> chosen.load_id
        order by past.accepted_at desc
        limit %(usual_loads)s
    ) as earlier
    group by 1
),
promised as (
    select chosen.load_id, array_agg(distinct output.value ->> 'contract') as contracts
    from chosen
    cross join lateral jsonb_path_query(chosen.mapping, '$.outputs[*]') as output (value)
    where output.value -> 'source' is null
        or output.value -> 'source' @> to_jsonb(chosen.source)
    group by 1
)
select
    chosen.load_id,
    chosen.feed,
    chosen.source,
    coalesce(fate.received_count, 0) as received,
    coalesce(rows_of.rows, 0) as rows,
    coalesce(rejected.records, 0)::float / nullif(fate.received_count, 0) as rejected_share,
    coalesce(fate.duplicate_count, 0)::float / nullif(fate.received_count, 0) as duplicate_share,
    abs(
        coalesce(fate.received_count, 0) - coalesce(became.records, 0)
        - (select coalesce(sum(upper(part) - lower(part)), 0) from unnest(fate.set_aside) as part)
    ) + coalesce(became.also_set_aside, 0) as unaccounted,
    case when usual.loads >= %(usual_needed)s
        then fate.received_count / nullif(usual.smallest, 0)::float end as received_to_smallest,
    fate.received_count / nullif(usual.median, 0)::float as received_to_usual,
    (coalesce(became.records, 0) - coalesce(rejected.records, 0))
    / nullif((chosen.mapping #>> '{source,records_at_least}')::float, 0) as records_to_promised,
    (
        select count(*) from unnest(promised.contracts) as contract
        where contract <> all (coalesce(rows_of.contracts, '{}'))
    ) as contracts_without_rows,
    case when not file.published_at_is_assumed
        then extract(epoch from chosen.known_at_max - file.published_at) / 3600 end as hours_known_after_published
from chosen
join landing.file using (file_id)
left join rows_of using (load_id)
left join became using (load_id)
left join rejected using (load_id)
left join fate using (load_id)
left join usual using (load_id)
left join promised using (load_id)
order by chosen.load_id
