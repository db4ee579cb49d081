{{ config(indexes=[{'columns': ['place_id', 'action_code', 'known_at'], 'unique': True}]) }}

with known as (
    select distinct on (place_id, action_code, known_at) improvement.*
    from {{ ref('stg_improvement_action') }} as improvement
    order by place_id, action_code, known_at, load_rank desc, line desc
)

select
    place_id,
    action_code,
    known_at,
    lead(known_at) over (partition by place_id, action_code order by known_at) is null as is_current,
    measure,
    action,
    owner,
    started_on,
    due_on,
    status,
    effect,
    feed,
    load_id,
    line
from known
