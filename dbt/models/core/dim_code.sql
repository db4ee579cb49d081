{{ config(indexes=[{'columns': ['code_system', 'code'], 'unique': True}]) }}

-- A code means something within its system alone: both are the key, here and wherever a code is looked up.
with known as (
    select
        code_system,
        code,
        meaning,
        meaning_zh,
        source
    from {{ ref('terminology') }}
    union all
    select
        'quality_measure',
        quality_measure,
        name_en,
        name_zh,
        source
    from {{ ref('quality_measure') }}
),

occurring as (
    select
        code_system,
        code
    from {{ ref('int_code_occurring') }}
    union
    select
        id_system,
        code
    from {{ ref('stg_place') }}
    where place_level in ('region', 'province', 'country')
)

select
    coalesce(known.code_system, occurring.code_system) as code_system,
    coalesce(known.code, occurring.code) as code,
    known.meaning as meaning_en,
    known.meaning_zh,
    coalesce(known.source, 'not found') as source,
    known.code is not null as is_in_seed,
    occurring.code is not null as is_occurring
from known
full join occurring on known.code_system = occurring.code_system and known.code = occurring.code
