{#- Publishers' own totals beside the sum of their parts, for the touched totals. -#}
-- depends_on: {{ ref('int_total_touched') }}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(pre_hook="set local work_mem = '128MB'", indexes=[{'columns': ['series_id', 'period_start'], 'unique': True}]) }}
{% set columns = ['series_id', 'period_start', 'value', 'value_status', 'is_current'] %}
{% set same_period = 'keys.period_start = served.period_start' %}

with
{% if builds_delta('fct_usage') %}
part_touched as materialized (
    select distinct
        part.part_series_id as series_id,
        touched.period_start
    from {{ ref('int_total_touched') }} as touched
    inner join {{ ref('dim_total_part') }} as part on touched.series_id = part.series_id
),
{% endif %}

total as (
    {{ facts_at('fct_usage', columns, ref('int_usage_rebuilt'), ref('int_total_touched'), ref('int_usage_touched'), same_period) }}
),

part as (
    {{ facts_at('fct_usage', columns, ref('int_usage_rebuilt'), 'part_touched', ref('int_usage_touched'), same_period) }}
)

select
    total.series_id,
    total.period_start,
    max(pair.summed_over) as summed_over,
    max(total.value) as published_total,
    -- sums of floating numbers depend on their order in the last digits; readers must not see that
    round(sum(part.value)::numeric, 6)::double precision as sum_of_parts,
    count(part.value) as parts
from {{ ref('dim_total_part') }} as pair
inner join total on pair.series_id = total.series_id and total.is_current and total.value_status = 'reported'
inner join part
    on
        pair.part_series_id = part.series_id and part.is_current and part.value_status = 'reported'
        and total.period_start = part.period_start
{% if builds_delta('fct_usage') -%}
inner join {{ ref('int_total_touched') }} as touched
    on total.series_id = touched.series_id and total.period_start = touched.period_start
{% endif -%}
group by total.series_id, total.period_start
