{{ config(indexes=[{'columns': ['series_id', 'period_start'], 'unique': True}]) }}

select
    check_of_total.series_id,
    check_of_total.period_start,
    series.feed,
    series.place_id,
    series.service_or_resource,
    series.measure,
    check_of_total.summed_over,
    check_of_total.published_total,
    check_of_total.sum_of_parts,
    check_of_total.parts,
    check_of_total.sum_of_parts - check_of_total.published_total as difference,
    abs(check_of_total.sum_of_parts - check_of_total.published_total)
    <= 0.01 * greatest(1, abs(check_of_total.published_total)) as agrees,
    series.timezone,
    {{ local_times('series.timezone', {
        'period_start': 'check_of_total.period_start',
    }) }}
from {{ ref('fct_total_check') }} as check_of_total
inner join {{ ref('dim_series') }} as series on check_of_total.series_id = series.series_id
