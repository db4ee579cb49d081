{{ config(indexes=[
    {'columns': ['area_id', 'period_start'], 'unique': True},
    {'columns': ['area_key', 'service_or_resource', 'measure', 'period_start']},
], tags=['forecast']) }}

with expected as (
    select
        area.run_id,
        area.area_id,
        forecast.period_start,
        forecast.period_end,
        forecast.horizon,
        max(forecast.value) filter (where {{ is_quantile('forecast.quantile', 0.5) }}) as median,
        max(forecast.value) filter (where {{ is_quantile('forecast.quantile', 0.1) }}) as low_80,
        max(forecast.value) filter (where {{ is_quantile('forecast.quantile', 0.9) }}) as high_80,
        max(forecast.value) filter (where {{ is_quantile('forecast.quantile', 0.025) }}) as low_95,
        max(forecast.value) filter (where {{ is_quantile('forecast.quantile', 0.975) }}) as high_95
    from {{ ref('dim_forecast_area') }} as area
    inner join {{ ref('fct_area_forecast') }} as forecast
        on area.run_id = forecast.run_id and area.area_id = forecast.area_id
    where area.is_newest
    group by area.run_id, area.area_id, forecast.period_start, forecast.period_end, forecast.horizon
)

select
    expected.area_id,
    expected.period_start,
    expected.run_id,
    area.area_level,
    area.area_key,
    area.area_name_en,
    area.area_name_zh,
    area.country_code,
    area.feed,
    feed.name_en as feed_name_en,
    feed.name_zh as feed_name_zh,
    area.grain,
    area.measure,
    measure.name_en as measure_name_en,
    measure.name_zh as measure_name_zh,
    area.service_or_resource,
    service.name_en as service_or_resource_name_en,
    service.name_zh as service_or_resource_name_zh,
    area.statistic,
    area.unit,
    area.dimensions,
    area.total_over,
    expected.period_end,
    expected.horizon,
    expected.median,
    expected.low_80,
    expected.high_80,
    expected.low_95,
    expected.high_95,
    area.series_summed,
    area.series_absent,
    area.places_summed,
    area.made_at as forecast_made_at,
    area.timezone,
    {{ local_times('area.timezone', {
        'period_start': 'expected.period_start',
        'period_end': 'expected.period_end',
        'forecast_made_at': 'area.made_at',
    }) }}
from expected
inner join {{ ref('dim_forecast_area') }} as area
    on expected.run_id = area.run_id and expected.area_id = area.area_id
left join {{ ref('dim_feed') }} as feed on area.feed = feed.feed
left join {{ ref('dim_measure') }} as measure on area.measure = measure.measure
left join {{ ref('dim_service_or_resource') }} as service on area.service_or_resource = service.service_or_resource
