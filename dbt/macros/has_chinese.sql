{#- Whether a name is written in Chinese characters. -#}
{% macro has_chinese(name) -%}
    {{ name }} ~ '[\u4e00-\u9fff]'
{%- endmacro %}
