{{ config(indexes=[
    {'columns': ['series_id', 'part_series_id'], 'unique': True}, {'columns': ['part_series_id']},
]) }}

-- What publishers' own totals sum over: other places, or one more dimension at the same place.
with additive as (
    select
        series.*,
        place.country_code,
        place.region_code_system,
        place.region_code,
        -- a region may lie in another one, as whoever describes it says
        case when described.region_code is null then place.region_code_system else described.region_code_system end
            as lies_in_system,
        coalesce(described.region_code, place.region_code) as lies_in_code,
        place.place_level,
        place.id_system,
        place.code,
        place.name_en as place_name
    from {{ ref('dim_series') }} as series
    inner join {{ ref('dim_place') }} as place on series.place_id = place.place_id
    inner join {{ ref('dim_measure') }} as measure on series.measure = measure.measure
    left join {{ ref('dim_facility') }} as described
        on place.facility_id = described.facility_id and described.is_current
    where measure.additive_over is not null and series.statistic <> 'cumulative' and series.subset_of is null
),

by_place as (
    select
        total.series_id,
        part.series_id as part_series_id,
        'place' as summed_over
    from additive as total
    inner join additive as part
        on
            total.feed = part.feed and total.service_or_resource = part.service_or_resource
            and total.measure = part.measure and total.statistic = part.statistic and total.unit = part.unit
            and total.grain = part.grain and total.dimensions = part.dimensions
            and array_remove(total.total_over, 'place') = part.total_over
    where
        'place' = any(total.total_over)
        and (
            total.place_level in ('country', 'panel')
            -- a code of which nobody says whose it is, is the feed's own
            or (part.lies_in_system = part.feed || '/region_code' and lower(part.lies_in_code) = lower(total.code))
            or (part.lies_in_system, lower(part.lies_in_code)) in (
                (total.id_system, lower(total.code)), (total.region_code_system, lower(total.region_code))
            )
        )
),

by_dimension as (
    select
        total.series_id,
        part.series_id as part_series_id,
        array_to_string(total.total_over, ',') as summed_over
    from additive as total
    inner join additive as part
        on
            total.feed = part.feed and total.place_id = part.place_id
            and total.service_or_resource = part.service_or_resource and total.measure = part.measure
            and total.statistic = part.statistic and total.unit = part.unit and total.grain = part.grain
    where
        cardinality(total.total_over) > 0 and not 'place' = any(total.total_over)
        and cardinality(part.total_over) = 0
        and part.dimensions @> total.dimensions
        and (
            select array_agg(axis.name order by axis.name)
            from jsonb_object_keys(part.dimensions) as axis (name)
            where not total.dimensions ? axis.name
        ) = (select array_agg(axis.name order by axis.name) from unnest(total.total_over) as axis (name))
)

select * from by_place
union all
select * from by_dimension
