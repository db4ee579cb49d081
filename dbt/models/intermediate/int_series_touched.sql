{#- The series whose summaries are rebuilt: those with touched pairs, and those whose part in sums has changed. -#}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(indexes=[{'columns': ['series_id'], 'unique': True}]) }}

{% if builds_delta('fct_usage') %}
select series_id
from {{ ref('int_usage_touched') }}
union
select series.series_id
from {{ ref('int_series') }} as series
inner join core.dim_series as served
    on series.series_id = served.series_id and series.is_summed <> served.is_summed
{% else %}
select series_id
from {{ ref('int_series') }}
{% endif %}
