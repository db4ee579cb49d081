{#-
    What a state says now, said here alone, for the board (operations_now_and_next) and for the alerts (caregrid.alerts):
    a state that was reported until an hour holds until then, and no later value ends it.

    series: measure, grain. latest: value, period_end. as_of: the feed's own now.
-#}
{% macro is_bounded_state(series) -%}
({{ series }}.grain = 'interval' and {{ series }}.measure = 'diversion_status')
{%- endmacro %}

{% macro is_over(series, latest, as_of) -%}
({{ is_bounded_state(series) }} and coalesce({{ latest }}.period_end <= {{ as_of }}, false))
{%- endmacro %}

{% macro value_now(series, latest, as_of) -%}
case when {{ is_over(series, latest, as_of) }} then 0 else {{ latest }}.value end
{%- endmacro %}

{#- The finest grain speaks for now. -#}
{% macro grain_order(series) -%}
array_position(
    array['instant', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'interval'], {{ series }}.grain
)
{%- endmacro %}
