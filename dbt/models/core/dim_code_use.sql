{{ config(indexes=[{'columns': ['feed', 'used_as'], 'unique': True}]) }}

select
    feed,
    used_as,
    code_system,
    is_declared,
    count(*) as codes
from {{ ref('int_code_occurring') }}
group by feed, used_as, code_system, is_declared
