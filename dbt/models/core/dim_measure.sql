{{ config(indexes=[{'columns': ['measure'], 'unique': True}]) }}
select
    measure,
    name_en,
    name_zh,
    unit,
    kind,
    string_to_array(statistics, '|') as statistics,
    string_to_array(nullif(additivity, 'none'), '|') as additive_over,
    forecast,
    definition
from {{ ref('measure') }}
