{#-
    The loads whose accounts may have changed: those not yet built, those with rows on the touched pairs, and those
    with rows under a contract other than usage that a load not yet built has rows of.
-#}
-- depends_on: {{ ref('int_usage_touched') }}
-- depends_on: {{ ref('stg_usage') }}
-- depends_on: {{ ref('stg_mapped_line') }}
{{ config(indexes=[{'columns': ['load_id'], 'unique': True}]) }}

{% if builds_delta('fct_load') and builds_delta('fct_usage') %}
select load_id
from {{ ref('stg_load') }}
where is_pending
union
select load.load_id
from {{ ref('stg_load') }} as load
where not exists (
    select 1 from core.fct_load as served
    where served.load_id = load.load_id and served.status = load.status
)
union
select usage.load_id
from {{ ref('int_usage_touched') }} as touched
inner join {{ ref('stg_usage') }} as usage
    on touched.series_id = usage.series_id and touched.period_start = usage.period_start
union
select load_id
from {{ ref('stg_mapped_line') }}
where contract <> 'usage' and contract in (
    select mapped.contract
    from {{ ref('stg_load') }} as load
    inner join {{ ref('stg_mapped_line') }} as mapped on load.load_id = mapped.load_id
    where load.is_pending and mapped.contract <> 'usage'
)
{% else %}
select load_id
from {{ ref('stg_load') }}
{% endif %}
