select
    latest.series_id,
    latest.period_start,
    latest.period_end,
    latest.known_at,
    latest.load_id,
    latest.line,
    latest.value,
    latest.value_status,
    latest.observed_at,
    latest.reporting_units,
    latest.is_provisional,
    latest.known_at_is_assumed,
    load.feed,
    load.source,
    load.load_rank
from {{ source('canonical', 'latest') }} as latest
inner join {{ ref('stg_load') }} as load on latest.load_id = load.load_id
where load.is_accepted
