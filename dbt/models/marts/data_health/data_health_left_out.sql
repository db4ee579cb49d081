{{ config(indexes=[{'columns': ['feed', 'what', 'kind'], 'unique': True}]) }}

select distinct on (feed, what, kind)
    feed,
    what,
    kind,
    reason
from {{ ref('dim_left_out') }}
order by feed, what, kind, reason
