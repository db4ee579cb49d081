{#-
    What a state says now, said here alone, for the board (operations_now_and_next) and for the alerts (caregrid.alerts):
    a state that was reported until an hour holds until then, and the last word is what counts, old as it may be.

    series: measure, grain. latest: value, period_end. as_of: the feed's own now.
-#}
{% macro is_bounded_state(series) -%}
({{ series }}.grain = 'interval' and {{ series }}.measure = 'diversion_status')
{%- endmacro %}

{% macro is_over(series, latest, as_of) -%}
({{ is_bounded_state(series) }} and coalesce({{ latest }}.period_end <= {{ as_of }}, false))
{%- endmacro %}

{#- The moment to which the word of a state goes back: its end is a word as well. -#}
{% macro said_at(series, latest, as_of) -%}
case when {{ is_over(series, latest, as_of) }} then {{ latest }}.period_end else {{ latest }}.period_start end
{%- endmacro %}

{% macro value_now(series, latest, as_of) -%}
case when {{ is_over(series, latest, as_of) }} then 0 else {{ latest }}.value end
{%- endmacro %}

{#- The finest grain speaks for now; of a state, whatever its grain, what was said last (said_at), and the finer of two
    that were said at once. -#}
{% macro grain_order(series) -%}
array_position(
    array['instant', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'interval'], {{ series }}.grain
)
{%- endmacro %}
