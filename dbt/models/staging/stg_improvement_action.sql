select
    improvement_action.load_id,
    improvement_action.line,
    improvement_action.place_id,
    improvement_action.action_code,
    improvement_action.measure,
    improvement_action.action,
    improvement_action.owner,
    improvement_action.started_on,
    improvement_action.due_on,
    improvement_action.status,
    improvement_action.effect,
    improvement_action.published_at,
    improvement_action.known_at,
    improvement_action.known_at_is_assumed,
    load.feed,
    load.source,
    load.load_rank
from {{ source('canonical', 'improvement_action') }} as improvement_action
inner join {{ ref('stg_load') }} as load on improvement_action.load_id = load.load_id
where load.is_accepted
