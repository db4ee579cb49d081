"""Trees grown on several machines: LightGBM on a Dask cluster, where its address is given."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from ..panel import Floats

if TYPE_CHECKING:
    from lightgbm import Booster

SCHEDULER = "CAREGRID_DASK_SCHEDULER"


def cluster() -> Any | None:
    """Return the client of the cluster that the environment names, such as tcp://127.0.0.1:8786, or None.

    Raises:
        CareGridError: none answers there.
    """
    address = os.environ.get(SCHEDULER)
    return _client(address) if address else None


@cache
def _client(address: str) -> Any:
    from caregrid.errors import CareGridError
    from distributed import Client

    try:
        return Client(address, timeout=10)
    except OSError as error:
        fix = "start `dask scheduler` and its workers there, or unset it to grow trees on this machine"
        raise CareGridError(f"no Dask scheduler answers at {address}", where=SCHEDULER, fix=fix) from error


def grow(client: Any, x: Floats, z: Floats, parameters: dict[str, Any], rounds: int) -> Booster:
    """Train one set of trees on rows spread evenly over the cluster's workers.

    The workers' histograms are added up (tree_learner data), so that the trees are those of all rows; sums in
    another order may round otherwise than on one machine.
    """
    import dask.array as da
    from lightgbm import Booster, DaskLGBMRegressor

    workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    rows = -(-len(z) // workers)
    # Each worker has its own threads.
    kept = {name: value for name, value in parameters.items() if name != "num_threads"}
    model = DaskLGBMRegressor(client=client, n_estimators=rounds, tree_learner="data", **kept)
    model.fit(da.from_array(x, chunks=(rows, x.shape[1])), da.from_array(z, chunks=rows))
    # Without the estimator around it, the trees are what one machine would have grown.
    return Booster(model_str=model.booster_.model_to_string())
