-- The newest value of every series of one measure, beside the capacity of the same place and service.
{%- import 'parts.sql' as parts %}
select
    {{ parts.series_columns() }},
    latest.value,
    latest.reporting_units,
    latest.period_end,
    latest.known_at,
    capacity.value as capacity
from canonical.latest
join canonical.series using (series_id)
join canonical.place using (place_id)
{{ parts.join_capacity() }}
where {{ parts.is_asked_for() }}
    and latest.value is not null
