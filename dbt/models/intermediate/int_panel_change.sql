{#- Revisions of the rebuilt pairs that came with another number of reporting units than the value before them. -#}
{{ config(indexes=[{'columns': ['series_id', 'period_start', 'known_at'], 'unique': True}]) }}

with versions as (
    select
        series_id,
        period_start,
        known_at,
        lag(reporting_units) over revisions as previous_reporting_units,
        reporting_units,
        lag(value) over revisions as previous_value,
        value
    from {{ ref('int_usage_rebuilt') }}
    where reporting_units is not null
    window revisions as (partition by series_id, period_start order by known_at)
)

select *
from versions
where previous_reporting_units <> reporting_units
