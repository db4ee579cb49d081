{#- Every mapped row of every load, whatever its status, by the line it came from: what the accounts are counted over. -#}
{% set contracts = ['usage', 'facility', 'resource', 'quality', 'improvement_action', 'external_forecast'] %}
{% for contract in contracts -%}
select
    load_id,
    line,
    '{{ contract }}' as contract
from {{ source('canonical', contract) }}
{{ 'union all' if not loop.last }}
{% endfor %}
