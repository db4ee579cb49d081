{#-
    Large facts are not rebuilt whole. A model `rows` holds what the touched keys now look like, a model `keys` the
    touched keys; the fact is a view: what is served outside the touched keys, and `rows`. Publishing deletes the
    touched keys from the served table and inserts `rows`, in the transaction that publishes everything else.
-#}

{#- The columns of a model's contract, in order. -#}
{% macro contract_columns(fact) -%}
    {{ return(graph.nodes['model.caregrid.' ~ fact].columns.keys() | list) }}
{%- endmacro %}

{#- Facts that share touched keys are built alike: all by delta, or all whole. -#}
{% macro built_alike(fact) -%}
    {%- set of_usage = ['dim_series', 'dim_total_part', 'fct_usage', 'fct_occupancy', 'fct_observed_part', 'fct_observed_run',
        'fct_usage_by_period', 'fct_panel_change', 'fct_total_check', 'fct_load'] -%}
    {{ return(of_usage if fact in of_usage else [fact]) }}
{%- endmacro %}

{#- Whether a table is served in the shape that the model's contract says. -#}
{% macro is_served_as_declared(name) -%}
    {%- set served = adapter.get_relation(database=target.database, schema='core', identifier=name) -%}
    {%- if served is none or served.type != 'table' -%}{{ return(false) }}{%- endif -%}
    {%- set found = [] -%}
    {%- for column in adapter.get_columns_in_relation(served) -%}
        {%- do found.append(column.name ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
    {%- set wanted = [] -%}
    {%- for column, definition in graph.nodes['model.caregrid.' ~ name].columns.items() -%}
        {%- do wanted.append(column ~ ' ' ~ ('ARRAY' if definition.data_type.endswith('[]') else definition.data_type)) -%}
    {%- endfor -%}
    {{ return(found == wanted) }}
{%- endmacro %}

{#- Whether `fact` can be built from what is served: no full refresh is asked for, and the shapes are the declared ones. -#}
{% macro builds_delta(fact) -%}
    {#- The documentation shows, and the lineage reads, how a whole table comes about. -#}
    {%- if not execute or flags.FULL_REFRESH or target.name == 'served' -%}{{ return(false) }}{%- endif -%}
    {%- for name in built_alike(fact) -%}
        {%- if not is_served_as_declared(name) -%}{{ return(false) }}{%- endif -%}
    {%- endfor -%}
    {{ return(true) }}
{%- endmacro %}

{#- The body of the view: the rebuilt rows, then the served rows outside the touched keys. -#}
{% macro delta_view(fact, rows, keys, on) -%}
    {%- set columns = (contract_columns(fact) if execute else []) or ['*'] -%}
    select {{ columns | join(', ') }}
    from {{ rows }}
    {%- if builds_delta(fact) %}
    union all
    select {{ columns | join(', ') }}
    from core.{{ fact }} as served
    where not exists (
        select 1 from {{ keys }} as touched
        where
            {% for column in on -%}
            touched.{{ column }} = served.{{ column }}{{ ' and ' if not loop.last }}
            {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}
