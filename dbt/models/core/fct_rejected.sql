{{ config(indexes=[{'columns': ['reject_id'], 'unique': True}]) }}

select
    record.reject_id,
    record.load_id,
    load.feed,
    load.source,
    record.line,
    record.output,
    record.contract,
    record.value_name,
    record.reasons,
    load.status as load_status
from {{ ref('stg_rejected_record') }} as record
inner join {{ ref('stg_load') }} as load on record.load_id = load.load_id
