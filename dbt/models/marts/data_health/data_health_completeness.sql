{{ config(indexes=[{'columns': ['subject', 'attribute', 'feed'], 'unique': True}]) }}

{% set attributes = ['facility_type', 'ownership', 'address', 'postal_code', 'region_code', 'latitude', 'phone',
    'opening_hours', 'service_slots', 'accreditation', 'parent_network'] %}
{% for attribute in attributes -%}
select
    'facility' as subject,
    '{{ attribute }}' as attribute,
    facility.id_system as feed,
    count(*) as row_count,
    count(*) filter (where facility.{{ attribute }} is null) as null_count,
    count(*) filter (where facility.{{ attribute }} is null)::double precision / count(*) as null_share
from {{ ref('dim_facility') }} as facility
where facility.is_current
group by facility.id_system
union all
{% endfor -%}
select
    'quality measure of a place' as subject,
    'improvement_action' as attribute,
    quality.feed,
    count(*) as row_count,
    count(*) filter (where improvement.place_id is null) as null_count,
    count(*) filter (where improvement.place_id is null)::double precision / count(*) as null_share
from (
    select distinct
        feed,
        place_id,
        measure
    from {{ ref('fct_quality') }}
    where is_current
) as quality
left join (
    select distinct
        place_id,
        measure
    from {{ ref('fct_improvement_action') }}
    where is_current
) as improvement on quality.place_id = improvement.place_id and quality.measure = improvement.measure
group by quality.feed
