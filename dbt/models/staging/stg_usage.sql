{#- Of events: the total known by then, which any accepted load may have added to. -#}
select
    usage.series_id,
    usage.period_start,
    usage.period_end,
    usage.known_at,
    usage.load_id,
    usage.line,
    case
        when of_events.counts_events
            then {{ event_total('usage', source('canonical', 'usage_event'), ref('stg_load')) }}
        else usage.value
    end as value,
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
left join {{ ref('stg_event_load') }} as of_events on load.load_id = of_events.load_id
where load.is_accepted
