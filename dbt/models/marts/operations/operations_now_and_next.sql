{{ config(
    indexes=[{'columns': ['place_id', 'service_or_resource', 'feed'], 'unique': True}], tags=['forecast']
) }}

-- Now: the newest value of every summed series, summed where the newest periods agree.
with newest as (
    select
        series.place_id,
        series.service_or_resource,
        series.feed,
        series.measure,
        latest.period_start,
        latest.period_end,
        latest.known_at,
        latest.value,
        {{ value_now('series', 'latest', 'feed.as_of') }} as state_now,
        latest.value_status,
        latest.is_provisional,
        series.unit = 'state' as is_state,
        {{ is_bounded_state('series') }} as is_bounded,
        {{ grain_order('series') }} as grain_order,
        max({{ said_at('series', 'latest', 'feed.as_of') }}) over (
            partition by series.place_id, series.service_or_resource, series.feed, series.measure, series.grain
        ) as grain_said_at
    from {{ ref('dim_series') }} as series
    inner join {{ ref('fct_latest') }} as latest on series.series_id = latest.series_id
    left join {{ ref('dim_feed') }} as feed on series.feed = feed.feed
    where series.is_summed
),

-- The finest grain speaks for now; of a state what was said last.
speaking as (
    select
        newest.*,
        dense_rank() over (
            partition by place_id, service_or_resource, feed, measure
            order by case when is_state then grain_said_at end desc, grain_order
        ) as grain_rank,
        max(period_start) over (
            partition by place_id, service_or_resource, feed, measure, case when is_state then grain_order end
        ) as newest_period_start
    from newest
),

now as (
    select
        place_id,
        service_or_resource,
        feed,
        max(period_start) as observed_period_start,
        max(known_at) as known_at,
        bool_or(is_provisional) as is_provisional,
        sum(value) filter (where measure = 'occupied') as occupied_beds,
        sum(value) filter (where measure = 'capacity') as capacity_beds,
        sum(value) filter (where measure = 'staffed_capacity') as staffed_capacity_beds,
        sum(value) filter (where measure = 'free') as free_beds,
        sum(value) filter (where measure = 'present') as present_persons,
        sum(value) filter (where measure = 'waiting') as waiting_persons,
        sum(value) filter (where measure = 'arrivals') as arrivals_persons,
        sum(value) filter (where measure = 'admissions') as admissions_persons,
        sum(value) filter (where measure = 'medically_ready') as medically_ready_persons,
        sum(value) filter (where measure = 'being_cleaned') as being_cleaned_beds,
        sum(value) filter (where measure = 'staff_on_duty') as staff_on_duty_persons,
        sum(value) filter (where measure = 'staff_needed') as staff_needed_persons,
        sum(value) filter (where measure = 'ambulances_waiting') as ambulances_waiting,
        max(state_now) filter (where measure = 'diversion_status') > 0 as is_diverting,
        max(value) filter (where measure = 'full_bed_notice') > 0 as has_full_bed_notice
    from speaking
    where (period_start = newest_period_start or is_bounded) and grain_rank = 1
    group by place_id, service_or_resource, feed
),

usable as (
    select
        now.*,
        coalesce(staffed_capacity_beds, capacity_beds, occupied_beds + free_beds) as usable_beds
    from now
),

-- A feed that nobody has registered has no other now than its newest.
as_of_feed as (
    select
        now.feed,
        coalesce(max(feed.as_of), max(now.known_at)) as as_of
    from now
    left join {{ ref('dim_feed') }} as feed on now.feed = feed.feed
    group by now.feed
),

-- The place's demand, what says most of it first.
demand as (
    select
        place_id,
        service_or_resource,
        feed,
        series_id,
        measure,
        row_number() over (
            partition by place_id, service_or_resource, feed
            order by
                array_position(array['occupied', 'present', 'waiting', 'arrivals', 'admissions'], measure),
                cardinality(total_over), series_id
        ) as demand_rank
    from {{ ref('dim_series') }}
    where is_summed and is_demand
),

-- What the newest scoring run has left out: what an older run said of it stands no more.
left_out as (
    select
        left_out.series_id,
        left_out.detail
    from {{ ref('fct_series_left_out') }} as left_out
    inner join {{ ref('dim_forecast_run') }} as run on left_out.run_id = run.run_id
    where run.kind = 'score' and run.is_newest
),

-- Next: the newest forecast of the place's demand.
forecast_series as (
    select distinct on (demand.place_id, demand.service_or_resource, demand.feed)
        demand.place_id,
        demand.service_or_resource,
        demand.feed,
        demand.series_id,
        demand.measure,
        newest_run.run_id
    from demand
    inner join lateral (
        select forecast.run_id
        from {{ ref('fct_forecast') }} as forecast
        where forecast.series_id = demand.series_id
        order by forecast.made_at desc, forecast.run_id desc
        limit 1
    ) as newest_run on true
    where not exists (select 1 from left_out where left_out.series_id = demand.series_id)
    order by demand.place_id, demand.service_or_resource, demand.feed, demand.demand_rank
),

-- Why there is no forecast, where there is none.
not_forecast as (
    select distinct on (demand.place_id, demand.service_or_resource, demand.feed)
        demand.place_id,
        demand.service_or_resource,
        demand.feed,
        left_out.detail
    from demand
    inner join left_out on demand.series_id = left_out.series_id
    order by demand.place_id, demand.service_or_resource, demand.feed, demand.demand_rank
),

-- What was expected of a time that has passed is not next.
to_come as (
    select
        chosen.*,
        forecast.made_at,
        forecast.period_start,
        forecast.period_end,
        forecast.quantile,
        forecast.value,
        dense_rank() over (partition by chosen.series_id order by forecast.period_start) as step
    from forecast_series as chosen
    inner join {{ ref('fct_forecast') }} as forecast
        on chosen.series_id = forecast.series_id and chosen.run_id = forecast.run_id
    inner join as_of_feed on chosen.feed = as_of_feed.feed
    where forecast.period_end > as_of_feed.as_of
),

expected as (
    select
        to_come.place_id,
        to_come.service_or_resource,
        to_come.feed,
        to_come.measure as forecast_measure,
        max(to_come.made_at) as forecast_made_at,
        min(to_come.period_start) as next_period_start,
        max(to_come.value) filter (where to_come.step = 1 and to_come.quantile = 0.5) as next_median,
        max(to_come.value) filter (where to_come.quantile = 0.5) as peak_median,
        max(to_come.value) filter (where to_come.quantile between 0.9 and 0.95) as peak_high,
        max(to_come.period_end) as forecast_until,
        max(remark.remark) as forecast_remark
    from to_come
    left join {{ ref('fct_forecast_remark') }} as remark
        on to_come.series_id = remark.series_id and to_come.run_id = remark.run_id
    group by to_come.place_id, to_come.service_or_resource, to_come.feed, to_come.measure
),

risk as (
    select
        series.place_id,
        series.service_or_resource,
        series.feed,
        max(fct_risk.probability) as overload_probability,
        max(fct_risk.period_end) as overload_until,
        max(fct_risk.level) as overload_level,
        -- The grains of a feed may differ in it: then both are told.
        string_agg(distinct fct_risk.definition, '; ' order by fct_risk.definition) as overload_definition,
        bool_or(fct_risk.is_over_now) as is_over_now
    from {{ ref('fct_risk') }} as fct_risk
    inner join {{ ref('dim_series') }} as series on fct_risk.series_id = series.series_id
    inner join as_of_feed on series.feed = as_of_feed.feed
    where
        fct_risk.is_newest
        and fct_risk.period_end > as_of_feed.as_of
        and not exists (select 1 from left_out where left_out.series_id = fct_risk.series_id)
    group by series.place_id, series.service_or_resource, series.feed
)

select
    usable.place_id,
    usable.service_or_resource,
    usable.feed,
    place.name_en as place_name_en,
    place.name_zh as place_name_zh,
    service.name_en as service_or_resource_name_en,
    service.name_zh as service_or_resource_name_zh,
    place.place_level,
    place.country_code,
    place.region_name_en,
    place.region_name_zh,
    as_of_feed.as_of,
    usable.observed_period_start,
    usable.known_at,
    (extract(epoch from as_of_feed.as_of - usable.known_at) / 60)::double precision as age_minutes,
    usable.is_provisional,
    usable.occupied_beds,
    usable.usable_beds,
    usable.capacity_beds,
    usable.staffed_capacity_beds,
    coalesce(
        usable.free_beds,
        case when usable.occupied_beds <= usable.usable_beds then usable.usable_beds - usable.occupied_beds end,
        case when usable.occupied_beds > usable.usable_beds then 0 end
    ) as free_beds,
    usable.occupied_beds / nullif(usable.usable_beds, 0) as occupancy_rate,
    usable.occupied_beds > usable.usable_beds as is_over_capacity,
    usable.present_persons,
    usable.waiting_persons,
    usable.arrivals_persons,
    usable.admissions_persons,
    usable.medically_ready_persons,
    usable.being_cleaned_beds,
    usable.staff_on_duty_persons,
    usable.staff_needed_persons,
    usable.ambulances_waiting,
    usable.is_diverting,
    usable.has_full_bed_notice,
    expected.forecast_measure,
    expected.forecast_made_at,
    expected.next_period_start,
    expected.next_median,
    expected.peak_median,
    expected.peak_high,
    expected.forecast_until,
    case
        when expected.feed is not null then expected.forecast_remark
        when not_forecast.feed is not null then not_forecast.detail
        when forecast_series.feed is not null
            then 'what was forecast has passed, and no newer forecast has been made · 所预测的时段已过，尚无新的预测'
    end as forecast_remark,
    risk.overload_probability,
    risk.overload_level,
    risk.overload_definition as overload_definition_en,
    {{ overload_definition_zh('risk.overload_definition') }} as overload_definition_zh,
    risk.overload_until,
    coalesce(risk.overload_probability >= 0.5 and not risk.is_over_now, false) as is_new_risk,
    place.timezone,
    {{ local_times('place.timezone', {
        'as_of': 'as_of_feed.as_of',
        'observed_period_start': 'usable.observed_period_start',
        'known_at': 'usable.known_at',
        'forecast_made_at': 'expected.forecast_made_at',
        'next_period_start': 'expected.next_period_start',
        'forecast_until': 'expected.forecast_until',
        'overload_until': 'risk.overload_until',
    }) }}
from usable
inner join as_of_feed on usable.feed = as_of_feed.feed
inner join {{ ref('dim_place') }} as place on usable.place_id = place.place_id
left join {{ ref('dim_service_or_resource') }} as service on usable.service_or_resource = service.service_or_resource
left join expected
    on
        usable.place_id = expected.place_id and usable.service_or_resource = expected.service_or_resource
        and usable.feed = expected.feed
left join forecast_series
    on
        usable.place_id = forecast_series.place_id and usable.service_or_resource = forecast_series.service_or_resource
        and usable.feed = forecast_series.feed
left join not_forecast
    on
        usable.place_id = not_forecast.place_id and usable.service_or_resource = not_forecast.service_or_resource
        and usable.feed = not_forecast.feed
left join risk
    on
        usable.place_id = risk.place_id and usable.service_or_resource = risk.service_or_resource
        and usable.feed = risk.feed
