{#- The events behind the counts of accepted loads. -#}
select
    event.load_id,
    event.series_id,
    event.period_start,
    event.known_at,
    event.event_id,
    event.value_name,
    load.load_rank
from {{ source('canonical', 'usage_event') }} as event
inner join {{ ref('stg_load') }} as load on event.load_id = load.load_id
where load.is_accepted
