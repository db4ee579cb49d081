{#- The first day (local) of the planning period of a moment: months for what comes by month or oftener, else its own. -#}
{% macro planning_period(moment, grain, timezone) -%}
    case {{ grain }}
        when 'week' then ({{ moment }} at time zone {{ timezone }})::date
        when 'quarter' then date_trunc('quarter', {{ moment }} at time zone {{ timezone }})::date
        when 'year' then date_trunc('year', {{ moment }} at time zone {{ timezone }})::date
        else date_trunc('month', {{ moment }} at time zone {{ timezone }})::date
    end
{%- endmacro %}
