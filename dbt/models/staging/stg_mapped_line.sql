{#- Every mapped row of every load, whatever its status, by the line it came from. -#}
select
    mapped.load_id,
    mapped.contract,
    mapped.line
from {{ source('ledger', 'canonical_line') }} as mapped
