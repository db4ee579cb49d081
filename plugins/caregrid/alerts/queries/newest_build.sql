-- The newest finished build, and what the marts gate held against it.
select
    build.build_id,
    build.status,
    build.reason,
    coalesce(build.finished_at, build.started_at) as finished_at,
    count(gate_result.*) filter (
        where not gate_result.success and (gate_result.severity = 'critical' or gate_result.raised)
    ) as failures,
    count(gate_result.*) filter (
        where not gate_result.success and gate_result.severity = 'warning' and not gate_result.raised
    ) as warnings,
    string_agg(gate_result.suite || '.' || gate_result.expectation || ': ' || gate_result.message, '; ')
        filter (where not gate_result.success) as said
from ledger.build
left join ledger.gate_result on gate_result.build_id = build.build_id and gate_result.gate = 'marts'
where build.kind = 'warehouse' and build.status <> 'running'
group by build.build_id
order by build.build_id desc
limit 1
