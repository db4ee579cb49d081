{{ config(indexes=[{'columns': ['feed'], 'unique': True}]) }}
select
    feed,
    name_en,
    name_zh,
    owner,
    owner_name,
    visibility,
    country_code,
    timezone,
    expected_every,
    lateness_tolerance,
    licence,
    provenance,
    contracts
from {{ ref('stg_feed') }}
