{#- The totals that are compared anew: of touched pairs, and in all periods where a total has got other parts. -#}
-- depends_on: {{ ref('int_usage_touched') }}
-- depends_on: {{ ref('dim_total_part') }}
{{ config(indexes=[{'columns': ['series_id', 'period_start'], 'unique': True}]) }}

{% if builds_delta('fct_usage') %}
with changed as (
    select coalesce(part.series_id, served.series_id) as series_id
    from {{ ref('dim_total_part') }} as part
    full join core.dim_total_part as served
        on part.series_id = served.series_id and part.part_series_id = served.part_series_id
    where coalesce(part.summed_over, '') <> coalesce(served.summed_over, '')
)

select
    part.series_id,
    touched.period_start
from {{ ref('int_usage_touched') }} as touched
inner join {{ ref('dim_total_part') }} as part on touched.series_id = part.series_id
union
select
    part.series_id,
    touched.period_start
from {{ ref('int_usage_touched') }} as touched
inner join {{ ref('dim_total_part') }} as part on touched.series_id = part.part_series_id
union
select
    changed.series_id,
    usage.period_start
from changed
{{ periods_of('changed') }}
{% else %}
-- Everything is rebuilt: no total needs naming.
select
    series_id,
    null::timestamptz as period_start
from {{ ref('dim_total_part') }}
where false
{% endif %}
