select
    gate_result.gate_result_id,
    gate_result.gate,
    gate_result.suite,
    gate_result.load_id,
    gate_result.build_id,
    gate_result.expectation,
    gate_result.severity,
    gate_result.success,
    gate_result.raised,
    gate_result.message,
    gate_result.checked_at
from {{ source('ledger', 'gate_result') }} as gate_result
