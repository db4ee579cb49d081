{#- Which pairs the loads not yet built bear on; superseded loads too, whose rows must leave. Block by block of each load. -#}
select
    load.load_id,
    usage.series_id,
    usage.period_start
from {{ ref('stg_load') }} as load
cross join lateral (
    select
        rows_of_load.series_id,
        rows_of_load.period_start
    from {{ source('canonical', 'usage') }} as rows_of_load
    where rows_of_load.load_id = load.load_id
    offset 0
) as usage
where load.is_pending
