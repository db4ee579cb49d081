{{ config(indexes=[
    {'columns': ['feed', 'service_or_resource', 'region_key', 'source_grain', 'period_start'], 'unique': True},
]) }}

-- Leaves are summed, on every axis; flows over time, stocks as the mean over the period.
with series as (
    select
        dim_series.series_id,
        dim_series.feed,
        dim_series.place_id,
        dim_series.service_or_resource,
        dim_series.measure,
        dim_series.statistic,
        dim_series.grain,
        dim_series.timezone,
        dim_series.capacity_group_id,
        measure.kind,
        measure.additive_over,
        coalesce(place.region_key, coalesce(place.country_code, '-') || '/-') as region_key,
        place.country_code,
        place.region_code_system,
        place.region_code
    from {{ ref('dim_series') }} as dim_series
    inner join {{ ref('dim_measure') }} as measure on dim_series.measure = measure.measure
    inner join {{ ref('dim_place') }} as place on dim_series.place_id = place.place_id
    where
        dim_series.is_summed and dim_series.grain <> 'interval' and dim_series.statistic <> 'cumulative'
        and 'place' = any(measure.additive_over)
),

-- Reports that should have come: a series is expected from its first period to the newest of its feed and grain.
periods as (
    select distinct
        series.feed,
        series.grain,
        by_period.period_start,
        (by_period.period_start + case series.grain
            when 'week' then interval '7 days'
            when 'quarter' then interval '3 months'
            when 'year' then interval '1 year'
            else interval '1 month'
        end)::date as period_end
    from {{ ref('fct_usage_by_period') }} as by_period
    inner join series on by_period.series_id = series.series_id
),

expected as (
    select
        series.feed,
        series.service_or_resource,
        series.region_key,
        series.grain,
        periods.period_start,
        count(distinct series.place_id) as places_expected,
        sum(
            case
                when series.grain in ('instant', 'hour', 'day') then greatest(
                    0,
                    least(
                        {{ period_ordinal('(periods.period_end::timestamp at time zone series.timezone)', 'series.grain', 'series.timezone') }} - 1,
                        coverage.newest_ordinal
                    ) - greatest(
                        {{ period_ordinal('(periods.period_start::timestamp at time zone series.timezone)', 'series.grain', 'series.timezone') }},
                        coverage.first_ordinal
                    ) + 1
                )
                else 1
            end
        ) as expected_reports
    from series
    inner join {{ ref('fct_series_coverage') }} as coverage on series.series_id = coverage.series_id
    inner join periods
        on
            series.feed = periods.feed and series.grain = periods.grain
            and {{ planning_period('coverage.first_period_start', 'series.grain', 'series.timezone') }}
            <= periods.period_start
    group by series.feed, series.service_or_resource, series.region_key, series.grain, periods.period_start
),

summed as (
    select
        series.feed,
        series.service_or_resource,
        series.region_key,
        series.grain,
        by_period.period_start,
        max(series.country_code) as country_code,
        max(series.region_code_system) as region_code_system,
        max(series.region_code) as region_code,
        sum(by_period.total) filter (where series.measure = 'uses' and series.statistic <> 'average') as uses,
        sum(by_period.total) filter (where series.measure = 'minutes_used' and series.statistic <> 'average')
            as minutes_used,
        sum(by_period.total) filter (where series.measure = 'arrivals' and series.statistic <> 'average')
            as arrivals_persons,
        sum(by_period.total) filter (where series.measure = 'admissions' and series.statistic <> 'average')
            as admissions_persons,
        sum(by_period.total) filter (where series.measure = 'discharges' and series.statistic <> 'average')
            as discharges_persons,
        sum(by_period.total) filter (where series.measure = 'bed_days') as occupied_bed_days,
        sum(by_period.total) filter (where series.measure = 'staffed_bed_days') as staffed_bed_days,
        sum(by_period.total) filter (where series.measure = 'delayed_bed_days') as delayed_bed_days,
        sum(by_period.total) filter (where series.measure = 'operations_planned') as operations_planned,
        sum(by_period.total) filter (where series.measure = 'operations_cancelled') as operations_cancelled,
        sum(by_period.mean) filter (where series.measure = 'occupied') as mean_occupied_beds,
        sum(by_period.mean) filter (where series.measure = 'capacity') as mean_capacity_beds,
        sum(by_period.mean) filter (where series.measure = 'staffed_capacity') as mean_staffed_capacity_beds,
        sum(by_period.mean) filter (where series.measure = 'free') as mean_free_beds,
        sum(by_period.mean) filter (where series.measure = 'waiting') as mean_waiting_persons,
        sum(by_period.mean) filter (where series.measure = 'present') as mean_present_persons,
        sum(by_period.occupied_beds) as compared_occupied_beds,
        sum(by_period.usable_beds) as compared_usable_beds,
        sum(by_period.over_capacity_periods) as over_capacity_periods,
        sum(by_period.compared_periods) as compared_periods,
        count(distinct series.place_id) as places_reporting,
        sum(by_period.arrived_reports) as arrived_reports
    from {{ ref('fct_usage_by_period') }} as by_period
    inner join series on by_period.series_id = series.series_id
    group by series.feed, series.service_or_resource, series.region_key, series.grain, by_period.period_start
),

region as (
    select distinct on (region_key)
        region_key,
        region_name_en,
        region_name_zh
    from {{ ref('dim_place') }}
    where region_key is not null
    order by region_key, place_level in ('region', 'province') desc, region_name_en, region_name_zh
)

select
    summed.feed,
    summed.service_or_resource,
    summed.region_key,
    summed.grain as source_grain,
    summed.period_start,
    expected_periods.period_end,
    summed.country_code,
    summed.region_code_system,
    summed.region_code,
    region.region_name_en,
    region.region_name_zh,
    service.name_en as service_or_resource_name_en,
    service.name_zh as service_or_resource_name_zh,
    summed.uses,
    summed.minutes_used,
    summed.arrivals_persons,
    summed.admissions_persons,
    summed.discharges_persons,
    summed.operations_planned,
    summed.operations_cancelled,
    coalesce(summed.uses, summed.arrivals_persons, summed.admissions_persons)
    / (expected_periods.period_end - summed.period_start) as frequency_per_day,
    summed.occupied_bed_days,
    summed.staffed_bed_days,
    summed.delayed_bed_days,
    summed.occupied_bed_days / nullif(summed.staffed_bed_days, 0) as utilisation_rate,
    summed.mean_occupied_beds,
    summed.mean_capacity_beds,
    summed.mean_staffed_capacity_beds,
    summed.mean_free_beds,
    summed.mean_waiting_persons,
    summed.mean_present_persons,
    summed.compared_occupied_beds / nullif(summed.compared_usable_beds, 0) as occupancy_rate,
    (summed.over_capacity_periods / nullif(summed.compared_periods, 0))::double precision as over_capacity_rate,
    summed.places_reporting,
    expected.places_expected,
    summed.arrived_reports::bigint as arrived_reports,
    expected.expected_reports::bigint as expected_reports,
    least(1, summed.arrived_reports::double precision / nullif(expected.expected_reports, 0))::double precision
        as coverage_rate,
    feed.as_of,
    feed.timezone,
    {{ local_times('feed.timezone', {
        'as_of': 'feed.as_of',
    }) }}
from summed
left join {{ ref('dim_feed') }} as feed on summed.feed = feed.feed
inner join periods as expected_periods
    on
        summed.feed = expected_periods.feed and summed.grain = expected_periods.grain
        and summed.period_start = expected_periods.period_start
left join expected
    on
        summed.feed = expected.feed and summed.service_or_resource = expected.service_or_resource
        and summed.region_key = expected.region_key and summed.grain = expected.grain
        and summed.period_start = expected.period_start
left join region on summed.region_key = region.region_key
left join {{ ref('dim_service_or_resource') }} as service on summed.service_or_resource = service.service_or_resource
