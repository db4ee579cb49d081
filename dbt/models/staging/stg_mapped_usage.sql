{#- The mapped usage rows of every load, whatever its status, as the accounts compare them with the facts. -#}
select
    load_id,
    line,
    series_id,
    period_start,
    period_end,
    known_at,
    value,
    value_status,
    is_provisional,
    reporting_units
from {{ source('canonical', 'usage') }}
