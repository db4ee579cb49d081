{#- Rows of accepted loads under the contracts other than usage, and whether each says what was known already. -#}
{% set contracts = ['facility', 'resource', 'quality', 'improvement_action', 'external_forecast'] -%}
{% for contract in contracts -%}
select
    load_id,
    line,
    is_unchanged
from {{ source('ledger', contract ~ '_change') }}
{{ 'union all' if not loop.last }}
{% endfor %}
