{#- The runs whose forecasts of areas are not served yet; they are appended and never change. -#}
{{ config(tags=['forecast'], indexes=[{'columns': ['run_id'], 'unique': True}]) }}
select run.run_id
from {{ ref('stg_forecast_run') }} as run
where
    exists (select 1 from {{ ref('stg_area_forecast') }} as forecast where forecast.run_id = run.run_id)
    {% if builds_delta('fct_area_forecast') -%}
    and not exists (select 1 from core.fct_area_forecast as served where served.run_id = run.run_id)
    {%- endif %}
