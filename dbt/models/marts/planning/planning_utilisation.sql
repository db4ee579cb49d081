{{ config(indexes=[
    {'columns': ['feed', 'service_or_resource', 'region_key', 'source_grain', 'period_start'], 'unique': True},
]) }}

{% set period_end -%}
    (period_start + case grain
        when 'week' then interval '7 days'
        when 'quarter' then interval '3 months'
        when 'year' then interval '1 year'
        else interval '1 month'
    end)::date
{%- endset %}

-- Leaves are summed, on every axis; flows over time, stocks as the mean over the period.
-- What a build has just made bears no statistics: each part is made once, and parts are united rather than joined.
with by_period as materialized (
    select * from {{ ref('fct_usage_by_period') }}
),

series as materialized (
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
        place.region_code,
        coverage.first_ordinal,
        coverage.newest_ordinal,
        {{ planning_period('coverage.first_period_start', 'dim_series.grain', 'dim_series.timezone') }} as first_period
    from {{ ref('dim_series') }} as dim_series
    inner join {{ ref('dim_measure') }} as measure on dim_series.measure = measure.measure
    inner join {{ ref('dim_place') }} as place on dim_series.place_id = place.place_id
    left join {{ ref('fct_series_coverage') }} as coverage on dim_series.series_id = coverage.series_id
    where
        dim_series.is_summed and dim_series.grain <> 'interval' and dim_series.statistic <> 'cumulative'
        and 'place' = any(measure.additive_over)
),

-- Reports that should have come: a series is expected from its first period to the newest of its feed and grain.
periods as materialized (
    select distinct
        series.feed,
        series.grain,
        by_period.period_start
    from by_period
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
                        series.newest_ordinal
                    ) - greatest(
                        {{ period_ordinal('(periods.period_start::timestamp at time zone series.timezone)', 'series.grain', 'series.timezone') }},
                        series.first_ordinal
                    ) + 1
                )
                else 1
            end
        ) as expected_reports
    from series
    inner join (select periods.*, {{ period_end }} as period_end from periods) as periods
        on
            series.feed = periods.feed and series.grain = periods.grain
            and series.first_period <= periods.period_start
    group by series.feed, series.service_or_resource, series.region_key, series.grain, periods.period_start
),

parts as (
    select
        series.feed,
        series.service_or_resource,
        series.region_key,
        series.grain,
        by_period.period_start,
        series.country_code,
        series.region_code_system,
        series.region_code,
        series.place_id,
        series.measure,
        series.statistic,
        by_period.total,
        by_period.mean,
        by_period.occupied_beds,
        by_period.usable_beds,
        by_period.compared_periods,
        by_period.over_capacity_periods,
        by_period.arrived_reports,
        null::bigint as places_expected,
        null::numeric as expected_reports,
        true as is_report
    from by_period
    inner join series on by_period.series_id = series.series_id
    union all
    select
        feed,
        service_or_resource,
        region_key,
        grain,
        period_start,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        places_expected,
        expected_reports,
        false
    from expected
),

summed as (
    select
        feed,
        service_or_resource,
        region_key,
        grain,
        period_start,
        max(country_code) as country_code,
        max(region_code_system) as region_code_system,
        max(region_code) as region_code,
        sum(total) filter (where measure = 'uses' and statistic <> 'average') as uses,
        sum(total) filter (where measure = 'minutes_used' and statistic <> 'average')
            as minutes_used,
        sum(total) filter (where measure = 'arrivals' and statistic <> 'average')
            as arrivals_persons,
        sum(total) filter (where measure = 'admissions' and statistic <> 'average')
            as admissions_persons,
        sum(total) filter (where measure = 'discharges' and statistic <> 'average')
            as discharges_persons,
        sum(total) filter (where measure = 'bed_days') as occupied_bed_days,
        sum(total) filter (where measure = 'staffed_bed_days') as staffed_bed_days,
        sum(total) filter (where measure = 'delayed_bed_days') as delayed_bed_days,
        sum(total) filter (where measure = 'operations_planned') as operations_planned,
        sum(total) filter (where measure = 'operations_cancelled') as operations_cancelled,
        sum(mean) filter (where measure = 'occupied') as mean_occupied_beds,
        sum(mean) filter (where measure = 'capacity') as mean_capacity_beds,
        sum(mean) filter (where measure = 'staffed_capacity') as mean_staffed_capacity_beds,
        sum(mean) filter (where measure = 'free') as mean_free_beds,
        sum(mean) filter (where measure = 'waiting') as mean_waiting_persons,
        sum(mean) filter (where measure = 'present') as mean_present_persons,
        sum(occupied_beds) as compared_occupied_beds,
        sum(usable_beds) as compared_usable_beds,
        sum(over_capacity_periods) as over_capacity_periods,
        sum(compared_periods) as compared_periods,
        count(distinct place_id) as places_reporting,
        max(places_expected) as places_expected,
        max(expected_reports) as expected_reports,
        sum(arrived_reports) as arrived_reports
    from parts
    group by feed, service_or_resource, region_key, grain, period_start
    having bool_or(is_report)
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
    summed.period_end,
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
    / (summed.period_end - summed.period_start) as frequency_per_day,
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
    summed.places_expected,
    summed.arrived_reports::bigint as arrived_reports,
    summed.expected_reports::bigint as expected_reports,
    least(1, summed.arrived_reports::double precision / nullif(summed.expected_reports, 0))::double precision
        as coverage_rate,
    feed.as_of,
    feed.timezone,
    {{ local_times('feed.timezone', {
        'as_of': 'feed.as_of',
    }) }}
from (select summed.*, {{ period_end }} as period_end from summed) as summed
left join {{ ref('dim_feed') }} as feed on summed.feed = feed.feed
left join region on summed.region_key = region.region_key
left join {{ ref('dim_service_or_resource') }} as service on summed.service_or_resource = service.service_or_resource
