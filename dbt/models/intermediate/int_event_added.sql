{#-
    The rows of touched loads that add to a count of events: with an event that no accepted load had told of before, nor
    one that was published later tells of at the same moment.
-#}
-- depends_on: {{ ref('int_load_touched') }}
{{ config(indexes=[{'columns': ['load_id', 'series_id', 'period_start', 'known_at'], 'unique': True}]) }}

select distinct
    event.load_id,
    event.series_id,
    event.period_start,
    event.known_at
from {{ ref('stg_usage_event') }} as event
inner join {{ ref('int_load_touched') }} as touched on event.load_id = touched.load_id
where not exists (
    select 1 from {{ ref('stg_usage_event') }} as other
    where
        other.series_id = event.series_id
        and other.period_start = event.period_start
        and other.event_id = event.event_id
        and other.value_name = event.value_name
        and (
            other.known_at < event.known_at
            or (other.known_at = event.known_at and other.load_rank > event.load_rank)
        )
)
