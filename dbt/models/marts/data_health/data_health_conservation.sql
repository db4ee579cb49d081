{{ config(indexes=[{'columns': ['load_id'], 'unique': True}]) }}

select
    load_id,
    feed,
    source,
    uri,
    member,
    status,
    published_at,
    loaded_at,
    received_records,
    loaded_records,
    partly_rejected_records,
    rejected_records,
    duplicate_records,
    unchanged_records,
    filtered_records,
    held_records,
    loaded_records + partly_rejected_records + rejected_records + duplicate_records + unchanged_records
    + filtered_records + held_records as accounted_records,
    received_records = loaded_records + partly_rejected_records + rejected_records + duplicate_records
    + unchanged_records + filtered_records + held_records as records_are_conserved,
    produced_rows,
    loaded_rows,
    unchanged_rows,
    rejected_rows,
    duplicate_rows,
    filtered_rows
from {{ ref('fct_load') }}
