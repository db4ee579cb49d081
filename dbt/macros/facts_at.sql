{#-
    What a fact will hold at some keys, without the delta view over all of history: the rebuilt rows, and the served rows
    outside the touched pairs, each found by the index of its key. `keys` bears series_id; `within` says which of its rows a
    served row belongs to, as `keys` and `served`.
-#}
{% macro facts_at(fact, columns, rows, keys, pairs, within) -%}
    select {{ columns | join(', ') }}
    from {{ rows }}
    {%- if builds_delta(fact) %}
    union all
    select
        {% for column in columns -%}
        served.{{ column }}{{ ',' if not loop.last }}
        {% endfor -%}
    from {{ keys }} as keys
    inner join core.{{ fact }} as served on keys.series_id = served.series_id and {{ within }}
    where not exists (
        select 1 from {{ pairs }} as touched
        where touched.series_id = served.series_id and touched.period_start = served.period_start
    )
    {%- endif -%}
{%- endmacro %}

{#- Which part of a series' spine a period lies in: 30 days of hours, 31 days, or all there is of what comes more rarely. -#}
{% macro observed_part(ordinal, grain) -%}
    case
        when {{ grain }} in ('instant', 'hour') then floor({{ ordinal }} / 720.0)::bigint
        when {{ grain }} = 'day' then floor({{ ordinal }} / 31.0)::bigint
        else 0
    end
{%- endmacro %}
