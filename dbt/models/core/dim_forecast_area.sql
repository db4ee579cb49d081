{{ config(indexes=[{'columns': ['run_id', 'area_id'], 'unique': True}], tags=['forecast']) }}

-- A region is named as the place of that level is, else as the places that lie in it name it.
with region as (
    select distinct on (place.region_key)
        place.region_key,
        place.region_name_en,
        place.region_name_zh,
        place.country_code
    from {{ ref('dim_place') }} as place
    where place.region_key is not null
    order by place.region_key, place.place_level = 'facility', place.place_id
)

select
    area.run_id,
    area.area_id,
    area.level as area_level,
    area.area_key,
    coalesce(region.region_name_en, country.meaning_en, area.area_key) as area_name_en,
    coalesce(region.region_name_zh, country.meaning_zh, country.meaning_en, area.area_key) as area_name_zh,
    case when area.level = 'country' then area.area_key else region.country_code end as country_code,
    area.feed,
    area.grain,
    area.measure,
    area.service_or_resource,
    area.statistic,
    area.unit,
    area.dimensions,
    area.total_over,
    area.series_ids,
    cardinality(area.series_ids) as series_summed,
    area.series_absent,
    summed.places as places_summed,
    series.timezone,
    run.made_at,
    run.is_newest
from {{ ref('stg_area') }} as area
inner join {{ ref('dim_forecast_run') }} as run on area.run_id = run.run_id
left join {{ ref('dim_series') }} as series on area.series_ids[1] = series.series_id
-- A place may tell the same more than once, as by the hour and at an instant.
left join lateral (
    select count(distinct member.place_id)::integer as places
    from {{ ref('dim_series') }} as member
    where member.series_id = any(area.series_ids)
) as summed on true
left join region on area.level = 'region' and area.area_key = region.region_key
left join {{ ref('dim_code') }} as country
    on area.level = 'country' and country.code_system = 'country' and area.area_key = country.code
