{#- The scoring runs with rows of `staged` that `fact` does not serve yet; such rows are appended and never change. -#}
{% macro runs_not_served(fact, runs, staged) -%}
    select run.run_id
    from {{ runs }} as run
    where
        exists (select 1 from {{ staged }} as appended where appended.run_id = run.run_id)
        {% if builds_delta(fact) -%}
        and not exists (select 1 from core.{{ fact }} as served where served.run_id = run.run_id)
        {%- endif %}
{%- endmacro %}
