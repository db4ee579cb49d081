{{ config(indexes=[{'columns': ['service_or_resource'], 'unique': True}]) }}
select
    service_or_resource,
    kind,
    name_en,
    name_zh,
    is_inpatient_bed
from {{ ref('service_or_resource') }}
