{#- A table, not a view: the statuses are read once, so that every model of a build sees the same loads. -#}
{{ config(materialized='table', indexes=[{'columns': ['load_id'], 'unique': True}]) }}

with built as (
    select distinct on (build_load.load_id)
        build_load.load_id,
        build_load.load_status
    from {{ source('ledger', 'build_load') }} as build_load
    inner join {{ source('ledger', 'build') }} as build on build_load.build_id = build.build_id
    where build.status = 'published' and build.kind = 'warehouse'
    order by build_load.load_id, build_load.build_id desc
)

select
    load.load_id,
    load.file_id,
    load.feed,
    load.source,
    load.owner,
    load.visibility,
    load.status,
    load.mapping_version,
    file.uri,
    file.member,
    file.sha256,
    file.byte_size,
    file.published_at,
    file.published_at_is_assumed,
    file.landed_at,
    load.known_at_min,
    load.known_at_max,
    load.period_min,
    load.period_max,
    load.loaded_at,
    load.accepted_at,
    load.refused_at,
    load.superseded_at,
    load.decision_reason,
    load.status = 'accepted' as is_accepted,
    (built.load_status is distinct from load.status)
    and (load.status in ('accepted', 'superseded') or built.load_status = 'accepted') as is_pending,
    (built.load_status is distinct from load.status) and load.status <> 'staged' as is_new,
    -- the order of ledger.load_order: between addresses it does not depend on when their files came to us
    row_number() over (
        order by
            file.published_at, file.version, file.sha256, file.source, file.member, file.uri, load.feed,
            load.mapping_version
    ) as load_rank
from {{ source('raw', 'load') }} as load
inner join {{ source('landing', 'file') }} as file on load.file_id = file.file_id
left join built on load.load_id = built.load_id
