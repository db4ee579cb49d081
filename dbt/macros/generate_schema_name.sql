{#- A model's schema is the one its folder names, without a prefix; the documentation shows the served names. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set schema = (custom_schema_name or target.schema) | trim -%}
    {%- if target.name == 'served' and schema in ('build_core', 'build_marts') -%}
        {{ schema | replace('build_', '') }}
    {%- else -%}
        {{ schema }}
    {%- endif -%}
{%- endmacro %}
