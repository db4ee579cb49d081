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
    run.sample
from {{ source('model_output', 'run') }} as run
