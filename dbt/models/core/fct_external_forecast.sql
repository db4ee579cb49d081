{{ config(indexes=[
    {'columns': ['series_id', 'team', 'made_at', 'period_start', 'quantile'], 'unique': True},
]) }}

select distinct on (series_id, team, made_at, period_start, quantile)
    series_id,
    team,
    made_at,
    period_start,
    quantile,
    period_end,
    horizon,
    value,
    known_at,
    known_at_is_assumed,
    load_id,
    line
from {{ ref('stg_external_forecast') }}
order by series_id, team, made_at, period_start, quantile, known_at desc, load_rank desc
