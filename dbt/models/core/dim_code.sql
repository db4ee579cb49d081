{{ config(indexes=[{'columns': ['code_system', 'code'], 'unique': True}]) }}

-- Codes by dimension or attribute as they occur, and the seed's meanings: null, 'not found', where no source says.
with occurring as (
    select distinct
        axis.name as used_as,
        axis.value as code
    from {{ ref('int_series') }} as series
    cross join lateral jsonb_each_text(series.dimensions) as axis (name, value)
    where axis.value is not null
    union
    select distinct
        'footnote',
        btrim(footnote.code)
    from {{ ref('stg_quality') }} as quality
    cross join lateral regexp_split_to_table(quality.footnote, '\s*,\s*') as footnote (code)
    where quality.footnote is not null and btrim(footnote.code) <> ''
    union
    select distinct
        'facility_type',
        facility_type
    from {{ ref('stg_facility') }}
    where facility_type is not null
    union
    select distinct
        'ownership',
        ownership
    from {{ ref('stg_facility') }}
    where ownership is not null
)

select
    code_system,
    code,
    meaning as meaning_en,
    meaning_zh,
    source,
    true as is_in_seed
from {{ ref('terminology') }}
union all
select
    occurring.used_as,
    occurring.code,
    null,
    null,
    'not found',
    false
from occurring
where not exists (select 1 from {{ ref('terminology') }} as term where term.code = occurring.code)
