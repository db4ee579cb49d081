{#- The pairs of series and period that loads not yet built bear on, with the other measures of the same capacity group. -#}
-- depends_on: {{ ref('int_series') }}
-- depends_on: {{ ref('stg_usage_pending') }}
{{ config(indexes=[{'columns': ['series_id', 'period_start'], 'unique': True}]) }}

{% if builds_delta('fct_usage') %}
with touched as (
    select distinct
        series_id,
        period_start
    from {{ ref('stg_usage_pending') }}
)

select
    series_id,
    period_start
from touched
union
select
    other.series_id,
    touched.period_start
from touched
inner join {{ ref('int_series') }} as series on touched.series_id = series.series_id
inner join {{ ref('int_series') }} as other on series.capacity_group_id = other.capacity_group_id
union
-- a series that has changed its capacity group takes all its periods along; series by series, not all of history
select
    series.series_id,
    usage.period_start
from {{ ref('int_series') }} as series
inner join core.dim_series as served
    on
        series.series_id = served.series_id
        and series.capacity_group_id is distinct from served.capacity_group_id
{{ periods_of('series') }}
{% else %}
-- Everything is rebuilt: no pair needs naming.
select
    series_id,
    period_start
from {{ ref('stg_usage_pending') }}
where false
{% endif %}
