{{ config(indexes=[{'columns': ['load_id', 'output', 'value_name', 'reason'], 'unique': True}]) }}

select
    rejected.load_id,
    rejected.output,
    rejected.value_name,
    coalesce(reason.value ->> 'code', reason.value #>> '{}') as reason,
    max(rejected.feed) as feed,
    max(rejected.source) as source,
    max(rejected.contract) as contract,
    count(*) as rows_rejected,
    count(distinct rejected.line) as records_rejected,
    min(rejected.line) as first_line,
    min(reason.value ->> 'message') as example
from {{ ref('fct_rejected') }} as rejected
cross join lateral jsonb_array_elements(
    case jsonb_typeof(rejected.reasons) when 'array' then rejected.reasons else jsonb_build_array(rejected.reasons) end
) as reason (value)
where rejected.load_status <> 'superseded'
group by rejected.load_id, rejected.output, rejected.value_name, 4
