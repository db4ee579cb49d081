{{ config(indexes=[
    {'columns': ['feed', 'place_id', 'service_or_resource', 'grain', 'gap_start', 'gap_end'], 'unique': True},
]) }}

-- One row per hole in time: the measures that miss it together are counted, not repeated.
select
    series.feed,
    series.place_id,
    series.service_or_resource,
    series.grain,
    gap.gap_start,
    gap.gap_end,
    max(place.name_en) as place_name_en,
    max(place.name_zh) as place_name_zh,
    max(gap.missing_periods) as missing_periods,
    count(*) as series,
    array_agg(distinct series.measure order by series.measure) as measures,
    max(series.timezone) as timezone,
    {{ local_times('max(series.timezone)', {
        'gap_start': 'gap.gap_start',
        'gap_end': 'gap.gap_end',
    }) }}
from {{ ref('fct_gap') }} as gap
inner join {{ ref('dim_series') }} as series on gap.series_id = series.series_id
inner join {{ ref('dim_place') }} as place on series.place_id = place.place_id
group by
    series.feed, series.place_id, series.service_or_resource, series.grain, gap.gap_start, gap.gap_end
