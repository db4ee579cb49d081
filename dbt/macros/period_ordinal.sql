{#-
    The number of a period on the spine of its grain, so that neighbours differ by one. Instants are snapped to their
    hour. Days and longer count in local time: a day of 23 or 25 hours is one day.
-#}
{% macro period_ordinal(moment, grain, timezone) -%}
    case {{ grain }}
        when 'instant' then floor(extract(epoch from {{ moment }}) / 3600)::bigint
        when 'hour' then floor(extract(epoch from {{ moment }}) / 3600)::bigint
        when 'day' then (({{ moment }} at time zone {{ timezone }})::date - date '1970-01-01')::bigint
        when 'week' then (({{ moment }} at time zone {{ timezone }})::date - date '1970-01-01')::bigint / 7
        when 'month' then
            (extract(year from {{ moment }} at time zone {{ timezone }}) * 12
            + extract(month from {{ moment }} at time zone {{ timezone }}))::bigint
        when 'quarter' then
            (extract(year from {{ moment }} at time zone {{ timezone }}) * 4
            + extract(quarter from {{ moment }} at time zone {{ timezone }}))::bigint
        when 'year' then extract(year from {{ moment }} at time zone {{ timezone }})::bigint
    end
{%- endmacro %}
