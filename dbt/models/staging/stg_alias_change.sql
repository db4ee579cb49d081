select
    change.change_id,
    change.changed_at,
    change.model_name,
    change.alias as model_alias,
    change.from_version,
    change.to_version,
    change.who as changed_by,
    change.why as reason,
    change.gate,
    change.run_id
from {{ source('model_output', 'alias_change') }} as change
