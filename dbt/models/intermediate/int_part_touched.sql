{#- The parts of series' spines in which touched pairs lie. -#}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(indexes=[{'columns': ['series_id', 'part'], 'unique': True}]) }}

{% if builds_delta('fct_usage') %}
with parts as (
    select distinct
        numbered.series_id,
        numbered.grain,
        numbered.timezone,
        {{ observed_part('numbered.ordinal', 'numbered.grain') }} as part
    from (
        select
            touched.series_id,
            series.grain,
            series.timezone,
            {{ period_ordinal('touched.period_start', 'series.grain', 'series.timezone') }} as ordinal
        from {{ ref('int_usage_touched') }} as touched
        inner join {{ ref('int_series') }} as series on touched.series_id = series.series_id
        where series.grain <> 'interval'
    ) as numbered
)

-- a day more on either side: which part a moment belongs to is not decided here
select
    series_id,
    part,
    grain,
    timezone,
    case
        when grain in ('instant', 'hour') then to_timestamp(part * 720 * 3600)
        when grain = 'day' then ((date '1970-01-01' + (part * 31)::integer)::timestamp at time zone timezone)
        else '-infinity'
    end - interval '1 day' as reads_from,
    case
        when grain in ('instant', 'hour') then to_timestamp((part + 1) * 720 * 3600)
        when grain = 'day' then ((date '1970-01-01' + ((part + 1) * 31)::integer)::timestamp at time zone timezone)
        else 'infinity'
    end + interval '1 day' as reads_until
from parts
{% else %}
-- Everything is rebuilt: no part needs naming.
select
    series_id,
    null::bigint as part,
    grain,
    timezone,
    null::timestamptz as reads_from,
    null::timestamptz as reads_until
from {{ ref('int_series') }}
where false
{% endif %}
