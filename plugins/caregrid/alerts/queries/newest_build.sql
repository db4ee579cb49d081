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
    array_agg(gate_result.message order by gate_result.gate_result_id) filter (
        where not gate_result.success and (gate_result.severity = 'critical' or gate_result.raised)
    ) as failure_messages,
    array_agg(gate_result.message order by gate_result.gate_result_id) filter (
        where not gate_result.success and gate_result.severity = 'warning' and not gate_result.raised
    ) as warning_messages
from ledger.build
left join ledger.gate_result on gate_result.build_id = build.build_id and gate_result.gate = 'marts'
where build.kind = 'warehouse' and build.status <> 'running'
group by build.build_id
order by build.build_id desc
limit 1
