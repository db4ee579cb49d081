{#- The series whose runs are joined anew: those with touched pairs. -#}
-- depends_on: {{ ref('int_usage_touched') }}
{{ config(indexes=[{'columns': ['series_id'], 'unique': True}]) }}

{% if builds_delta('fct_usage') %}
select distinct series_id
from {{ ref('int_usage_touched') }}
{% else %}
select series_id
from {{ ref('int_series') }}
{% endif %}
