{#-
    Capacity beside what is occupied, for the rebuilt pairs. Derived capacity (occupied + free) is made here, once:
    staffed capacity where it is published, else capacity, else occupied + free.
-#}
{{ config(indexes=[{'columns': ['series_id', 'period_start'], 'unique': True}]) }}

with read_together as (
    select
        series.capacity_group_id as series_id,
        usage.period_start,
        max(usage.period_end) as period_end,
        max(usage.known_at) as known_at,
        max(usage.value) filter (where series.measure = 'occupied') as occupied_beds,
        max(usage.value) filter (where series.measure = 'capacity') as capacity_beds,
        max(usage.value) filter (where series.measure = 'staffed_capacity') as staffed_capacity_beds,
        max(usage.value) filter (where series.measure = 'free') as free_beds
    from {{ ref('int_usage_rebuilt') }} as usage
    inner join {{ ref('int_series') }} as series on usage.series_id = series.series_id
    where usage.is_current and usage.value_status = 'reported' and series.capacity_group_id is not null
    group by series.capacity_group_id, usage.period_start
),

based as (
    select
        read_together.*,
        coalesce(staffed_capacity_beds, capacity_beds, occupied_beds + free_beds) as usable_beds,
        case
            when staffed_capacity_beds is not null then 'staffed_capacity'
            when capacity_beds is not null then 'capacity'
            when free_beds is not null then 'occupied_plus_free'
        end as capacity_basis
    from read_together
    where occupied_beds is not null
)

select
    series_id,
    period_start,
    period_end,
    known_at,
    occupied_beds,
    usable_beds,
    capacity_basis,
    capacity_beds,
    staffed_capacity_beds,
    coalesce(free_beds, greatest(usable_beds - occupied_beds, 0)) as free_beds,
    occupied_beds / nullif(usable_beds, 0) as occupancy_rate,
    occupied_beds > usable_beds as is_over_capacity
from based
where usable_beds is not null
