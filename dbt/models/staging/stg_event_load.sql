{#- The loads whose records are events. -#}
select
    load.load_id,
    true as counts_events
from {{ source('raw', 'load') }} as load
where load.counts_events
