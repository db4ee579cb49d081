-- Improvement actions: one row per load.
select
    load_id,
    count(*) as rows,
    count(distinct place_id) as places,
    avg((owner is null)::int) as owner_missing_share,
    avg((effect is null)::int) filter (where status = 'done') as done_without_effect_share
from canonical.improvement_action where load_id = any(%(loads)s) group by 1 order by 1
