{#- Each series with its part in sums, in occupancy and beside the same series of other feeds. -#}
{{ config(indexes=[{'columns': ['series_id'], 'unique': True}]) }}

with described as (
    select
        series.*,
        measure.kind,
        measure.additivity,
        measure.forecast as is_demand,
        (
            select coalesce(string_agg(axis.name, ',' order by axis.name), '')
            from jsonb_object_keys(series.dimensions) as axis (name)
        ) as breakdown,
        array_position(
            case measure.kind
                when 'flow' then array['count', 'sum', 'cumulative', 'average', 'snapshot']
                else array['snapshot', 'average', 'count', 'sum', 'cumulative']
            end,
            series.statistic
        ) as statistic_order
    from {{ ref('stg_series') }} as series
    left join {{ ref('measure') }} as measure on series.measure = measure.measure
),

-- Of the breakdowns of one quantity at one place, one is summed: the leaves; else the least broken down.
ranked as (
    select
        described.*,
        dense_rank() over (
            partition by feed, place_id, service_or_resource, measure, grain
            order by
                subset_of is not null, 'place' = any(total_over), cardinality(total_over) > 0,
                statistic_order, cardinality(string_to_array(breakdown, ',')), breakdown, unit
        ) as breakdown_rank
    from described
),

-- The same quantity from another feed: a declared precedence picks one for the marts, core keeps both.
preferred as (
    select
        ranked.series_id,
        first_value(ranked.series_id) over same_quantity as preferred_series_id,
        count(*) over (
            partition by
                ranked.place_id, ranked.service_or_resource, ranked.measure, ranked.statistic, ranked.unit,
                ranked.grain, ranked.week_ends_on, ranked.dimensions, ranked.subset_of
        ) as sources
    from ranked
    left join {{ ref('source_precedence') }} as of_measure
        on ranked.feed = of_measure.feed and ranked.measure = of_measure.measure
    left join {{ ref('source_precedence') }} as of_feed
        on ranked.feed = of_feed.feed and of_feed.measure = '*'
    window same_quantity as (
        partition by
            ranked.place_id, ranked.service_or_resource, ranked.measure, ranked.statistic, ranked.unit,
            ranked.grain, ranked.week_ends_on, ranked.dimensions, ranked.subset_of
        order by coalesce(of_measure.precedence, of_feed.precedence, 1000), ranked.feed, ranked.series_key
    )
),

-- Occupied, capacity, staffed and free places of one thing are read together: one group, named by its occupied series.
grouped as (
    select
        ranked.series_id,
        first_value(ranked.series_id) over (
            partition by
                ranked.feed, ranked.place_id, ranked.service_or_resource, ranked.grain, ranked.week_ends_on,
                ranked.dimensions
            order by ranked.measure <> 'occupied', ranked.statistic_order, ranked.series_key
        ) as capacity_group_id,
        bool_or(ranked.measure = 'occupied') over (
            partition by
                ranked.feed, ranked.place_id, ranked.service_or_resource, ranked.grain, ranked.week_ends_on,
                ranked.dimensions
        ) as has_occupied,
        row_number() over (
            partition by
                ranked.feed, ranked.place_id, ranked.service_or_resource, ranked.grain, ranked.week_ends_on,
                ranked.dimensions, ranked.measure
            order by ranked.statistic_order, ranked.series_key
        ) as choice
    from ranked
    where ranked.measure in ('occupied', 'capacity', 'staffed_capacity', 'free') and ranked.subset_of is null
)

select
    ranked.series_id,
    ranked.series_key,
    ranked.feed,
    ranked.place_id,
    ranked.service_or_resource,
    ranked.measure,
    ranked.statistic,
    ranked.unit,
    ranked.grain,
    ranked.week_ends_on,
    ranked.dimensions,
    ranked.breakdown,
    ranked.total_over,
    ranked.subset_of,
    ranked.timezone,
    ranked.kind,
    ranked.additivity,
    coalesce(ranked.is_demand, false) as is_demand,
    preferred.preferred_series_id,
    preferred.sources,
    preferred.preferred_series_id = ranked.series_id as is_preferred,
    'place' = any(ranked.total_over) as is_published_total,
    ranked.breakdown_rank = 1 and ranked.subset_of is null and not 'place' = any(ranked.total_over)
    and preferred.preferred_series_id = ranked.series_id as is_summed,
    case when grouped.has_occupied and grouped.choice = 1 then grouped.capacity_group_id end as capacity_group_id
from ranked
inner join preferred on ranked.series_id = preferred.series_id
left join grouped on ranked.series_id = grouped.series_id
