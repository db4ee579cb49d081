{#- Before a run: the served schemas, who may look into them, and the one aggregate the models need. -#}
{% macro prepare_schemas() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'seed', 'test') -%}
        {%- set readers = 'bi_reader, caregrid_model, caregrid_action' -%}
        {%- for schema in ['core', 'marts'] %}
        create schema if not exists {{ schema }};
        grant usage on schema {{ schema }} to {{ readers }};
        alter default privileges in schema {{ schema }} grant select on tables to {{ readers }};
        {%- endfor %}
        create schema if not exists build_staging;
        create or replace aggregate build_staging.jsonb_merge(jsonb) (
            sfunc = jsonb_concat, stype = jsonb, initcond = '{}'
        );
        comment on aggregate build_staging.jsonb_merge(jsonb) is
            'Later objects over earlier ones, key by key: what was once known stays known.'
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}
