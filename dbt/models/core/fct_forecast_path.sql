{{ config(materialized='view', tags=['forecast']) }}
-- Served as a view: copied out, the paths of one run would outweigh every other fact. Without a common table, so that
-- the runs and series that a reader asks for are chosen before anything is unnested.
select
    joint.run_id,
    joint.series_id,
    joint.period_start,
    drawn.path::integer as path,
    drawn.value
from {{ ref('stg_path') }} as joint
-- A run is seen when everything else of it is.
inner join {{ ref('dim_forecast_run') }} as run on joint.run_id = run.run_id
cross join lateral unnest(joint.values) with ordinality as drawn (value, path)
