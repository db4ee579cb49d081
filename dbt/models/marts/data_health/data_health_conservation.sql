{{ config(indexes=[{'columns': ['load_id'], 'unique': True}]) }}

select
    load.load_id,
    load.feed,
    load.source,
    load.uri,
    load.member,
    load.status,
    load.published_at,
    load.loaded_at,
    load.received_records,
    load.loaded_records,
    load.partly_rejected_records,
    load.rejected_records,
    load.duplicate_records,
    load.unchanged_records,
    load.filtered_records,
    load.held_records,
    load.loaded_records + load.partly_rejected_records + load.rejected_records + load.duplicate_records
    + load.unchanged_records + load.filtered_records + load.held_records as accounted_records,
    load.received_records = load.loaded_records + load.partly_rejected_records + load.rejected_records
    + load.duplicate_records + load.unchanged_records + load.filtered_records
    + load.held_records as records_are_conserved,
    load.produced_rows,
    load.loaded_rows,
    load.unchanged_rows,
    load.rejected_rows,
    load.duplicate_rows,
    load.filtered_rows,
    feed.timezone,
    {{ local_times('feed.timezone', {
        'published_at': 'load.published_at',
        'loaded_at': 'load.loaded_at',
    }) }}
from {{ ref('fct_load') }} as load
left join {{ ref('dim_feed') }} as feed on load.feed = feed.feed
