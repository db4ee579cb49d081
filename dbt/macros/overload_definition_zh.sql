{#- The words of a definition of overload (ml/levels.py) in Chinese; words that are not known stay. -#}
{% macro overload_definition_zh(definition) -%}
    replace(replace({{ definition }}, 'occupied over capacity', '占用超过容量'), 'free under a reserve', '空闲低于储备')
{%- endmacro %}
