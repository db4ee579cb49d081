-- What the gate only warned of, for the load that was last accepted from each source.
with decided as (
    select distinct on (load.feed, load.source) load.load_id, load.feed, load.source, load.accepted_at
    from raw.load where load.status = 'accepted'
    order by load.feed, load.source, load.accepted_at desc, load.load_id desc
),
checked as (
    select load_id, max(checked_at) as checked_at from ledger.gate_result where gate = 'landing' group by 1
)
select
    decided.feed,
    decided.source,
    decided.load_id,
    max(checked.checked_at) as checked_at,
    count(*) filter (where not gate_result.success) as warnings,
    array_agg(gate_result.message order by gate_result.gate_result_id) filter (where not gate_result.success)
        as messages
from decided
join checked using (load_id)
join ledger.gate_result on gate_result.load_id = decided.load_id and gate_result.checked_at = checked.checked_at
where gate_result.severity = 'warning' and not gate_result.raised
group by 1, 2, 3
