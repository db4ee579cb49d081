select
    usage.series_id,
    usage.period_start,
    usage.period_end,
    usage.known_at,
    usage.load_id,
    usage.line,
    usage.value,
    usage.value_status,
    usage.observed_at,
    usage.reporting_units,
    usage.is_provisional,
    usage.known_at_is_assumed,
    usage.time_is_ambiguous,
    load.feed,
    load.source,
    load.load_rank
from {{ source('canonical', 'usage') }} as usage
inner join {{ ref('stg_load') }} as load on usage.load_id = load.load_id
where load.is_accepted
