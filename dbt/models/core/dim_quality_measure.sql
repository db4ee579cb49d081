{{ config(indexes=[{'columns': ['measure'], 'unique': True}]) }}

with published as (
    select distinct on (measure)
        measure,
        value_kind,
        unit,
        improvement_direction
    from {{ ref('stg_quality') }}
    order by measure, published_at desc, load_rank desc, line
)

select
    coalesce(published.measure, seed.quality_measure) as measure,
    coalesce(seed.name_en, published.measure) as name_en,
    coalesce(seed.name_zh, seed.name_en, published.measure) as name_zh,
    coalesce(published.value_kind, seed.value_kind) as value_kind,
    coalesce(published.unit, seed.unit) as unit,
    coalesce(published.improvement_direction, seed.improvement_direction) as improvement_direction,
    coalesce(seed.source, 'not found') as meaning_source
from published
full join {{ ref('quality_measure') }} as seed on published.measure = seed.quality_measure
