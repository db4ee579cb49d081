-- Sums over regions and countries: one row of aggregates.
select
    'operations_area_outlook' as mart,
    count(*) as rows,
    (
        count(*) = 0
        and exists (
            select from build_core.dim_forecast_area as area
            join build_core.fct_area_forecast as forecast
                on forecast.run_id = area.run_id and forecast.area_id = area.area_id
            where area.is_newest
        )
    )::int as missing,
    avg((low_95 < 0)::int) filter (where low_95 is not null) as negative_share,
    avg((not (low_95 <= low_80 and low_80 <= median and median <= high_80 and high_80 <= high_95))::int) as crossing_share,
    avg((area_name_en is null or area_name_zh is null)::int) as nameless_share,
    avg((series_absent > series_summed)::int) as mostly_absent_share
from build_marts.operations_area_outlook
