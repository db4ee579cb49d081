{#- Whether a quantile is the one meant: as they are numbers with a point, none is quite what it is called. -#}
{% macro is_quantile(quantile, wanted) -%}
    abs({{ quantile }} - {{ wanted }}) < 1e-6
{%- endmacro %}
