{#-
    What was known of a count of events at the moment of a row: all events that accepted loads had told of by then, each
    once. Said here alone, for the warehouse and for canonical.latest (caregrid.loading), which is kept with each verdict.

    row: a row of canonical.usage. events: canonical.usage_event. loads: the loads, with their status.
-#}
{% macro event_total(row, events, loads) -%}
    (
        select sum(counted.value::numeric)::double precision
        from (
            select max(event.value) as value
            from {{ events }} as event
            inner join {{ loads }} as told on event.load_id = told.load_id
            where
                event.series_id = {{ row }}.series_id
                and event.period_start = {{ row }}.period_start
                and event.known_at <= {{ row }}.known_at
                and told.status = 'accepted'
            group by event.event_id, event.value_name
        ) as counted
    )
{%- endmacro %}
