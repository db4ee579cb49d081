{{ config(indexes=[{'columns': ['run_id'], 'unique': True}], tags=['forecast']) }}

select
    run.run_id,
    run.kind,
    run.mlflow_run_id,
    run.model_name,
    run.model_version,
    run.made_at,
    run.as_of,
    run.known_at_cut,
    run.code_version,
    run.lock_sha256,
    run.load_ids,
    run.sample,
    row_number() over (partition by run.kind order by run.made_at desc, run.run_id desc) = 1 as is_newest
from {{ ref('stg_forecast_run') }} as run
