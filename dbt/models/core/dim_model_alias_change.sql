{{ config(indexes=[{'columns': ['change_id'], 'unique': True}], tags=['forecast']) }}

select
    change.change_id,
    change.model_name,
    change.model_alias,
    change.from_version,
    change.to_version,
    change.changed_at,
    lead(change.changed_at) over (
        partition by change.model_name, change.model_alias order by change.change_id
    ) as replaced_at,
    change.changed_by,
    change.reason,
    change.gate,
    change.run_id
from {{ ref('stg_alias_change') }} as change
