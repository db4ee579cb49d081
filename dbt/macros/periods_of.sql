{#-
    The served periods of the few series of `keys`, each found by its index: how few they are no statistics tell, and a plain
    join would read all of history for none.
-#}
{% macro periods_of(keys) -%}
    cross join lateral (
        select served_usage.period_start
        from core.fct_usage as served_usage
        where served_usage.series_id = {{ keys }}.series_id
        offset 0
    ) as usage
{%- endmacro %}
