{#- What several queries have in common. -#}
{%- import 'has_chinese.sql' as writing %}

{#- What every message about a series names. -#}
{% macro series_columns() -%}
    series.series_id,
    series.feed,
    series.measure,
    series.service_or_resource,
    series.dimensions,
    series.unit,
    series.timezone,
    place.place_id,
    place.place_level,
    coalesce(place.name, place.code) as place,
    place.code as place_code,
    {{ chinese_name() }} as place_zh
{%- endmacro %}

{#- The Chinese name that the newest accepted description of a place gives, if one does. -#}
{% macro chinese_name() -%}
(
        select coalesce(
            case when {{ writing.has_chinese('facility.name_local') }} then facility.name_local end, facility.name
        )
        from canonical.facility
        join raw.load using (load_id)
        where facility.place_id = place.place_id and load.status = 'accepted'
            and ({{ writing.has_chinese('facility.name_local') }} or {{ writing.has_chinese('facility.name') }})
        order by facility.known_at desc, facility.load_id desc
        limit 1
    )
{%- endmacro %}

{#- The newest capacity of the same place and service, staffed before built. -#}
{% macro join_capacity() -%}
left join lateral (
    select newest.value
    from canonical.series as beside
    join canonical.latest as newest using (series_id)
    where beside.place_id = series.place_id
        and beside.feed = series.feed
        and beside.service_or_resource = series.service_or_resource
        and beside.dimensions = series.dimensions
        and beside.measure in ('staffed_capacity', 'capacity')
        and newest.value > 0
    order by beside.measure desc
    limit 1
) as capacity on true
{%- endmacro %}

{#- The moment taken as now, feed by feed. -#}
{% macro now_of() -%}
select known.feed, coalesce(own.as_of, %(now)s) as as_of
    from (select distinct feed from canonical.series) as known
    left join unnest(%(feeds_of_own)s::text[], %(moments_of_own)s::timestamptz[]) as own (feed, as_of) using (feed)
{%- endmacro %}

{#- Only the feeds that the rule names, or all. -#}
{% macro is_of_feeds() -%}
(cardinality(%(feeds)s::text[]) = 0 or series.feed = any(%(feeds)s))
{%- endmacro %}

{#- Only the series that the rule names. -#}
{% macro is_asked_for() -%}
series.measure = %(measure)s
    and series.dimensions @> %(dimensions)s
    and place.place_level = any(%(place_levels)s)
    and (cardinality(%(services)s::text[]) = 0 or series.service_or_resource = any(%(services)s))
    and {{ is_of_feeds() }}
{%- endmacro %}

{#- The newest scoring run: it forecasts every series that can be, and a series that it leaves out has no forecast. -#}
{% macro newest_run() -%}
select run_id, made_at from model_output.run where kind = 'score' order by made_at desc, run_id desc limit 1
{%- endmacro %}

{#- Why the gate last refused a load, in its own words. -#}
{% macro refusal_messages(load_id) -%}
(
        select array_agg(gate_result.message order by gate_result.gate_result_id)
        from ledger.gate_result
        where gate_result.load_id = {{ load_id }} and not gate_result.success
            and (gate_result.severity = 'critical' or gate_result.raised)
            and gate_result.checked_at = (
                select max(checked_at) from ledger.gate_result where load_id = {{ load_id }}
            )
    )
{%- endmacro %}
