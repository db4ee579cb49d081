{#- Local siblings of columns of moments, as a list to select: `gap_start` at a time zone is `gap_start_local`. -#}
{% macro local_times(timezone, columns) -%}
    {%- for column, value in columns.items() %}
    {{ value }} at time zone {{ timezone }} as {{ column }}_local{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}
