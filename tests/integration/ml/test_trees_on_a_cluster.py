"""Trees grown on a real Dask cluster of two processes say what those of one machine say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from caregrid.errors import CareGridError

from ml.recipe import machines
from ml.recipe.configuration import CONFIGURATIONS
from ml.recipe.points import grow
from tests.unit.ml.recipe.panels import census, panel, small

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two workers on loopback."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        yield cluster.scheduler_address
        machines._client(cluster.scheduler_address).close()
        machines._client.cache_clear()


def test_rows_on_two_workers_give_the_trees_of_one_machine(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = np.random.default_rng(1)
    x = draws.normal(size=(8000, 12)).astype(np.float32)
    z = 2 * x[:, 0] - x[:, 1] ** 2 + draws.normal(0, 0.3, 8000)
    alone = np.asarray(grow(x, z, CONFIGURATIONS["D"], 0).predict(x))
    monkeypatch.setenv(machines.SCHEDULER, address)
    spread = np.asarray(grow(x, z, CONFIGURATIONS["D"], 0).predict(x))
    assert not np.array_equal(alone, np.zeros(8000))
    # Bags are drawn per worker, so the trees are others, and as good.
    errors = [float(np.abs(z - said).mean()) for said in (alone, spread)]
    assert errors[1] < 1.05 * errors[0]
    assert np.corrcoef(alone, spread)[0, 1] > 0.99


def test_a_whole_model_is_fitted_and_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = panel(census(6, 220)[0], 14)
    alone = small().fit(known).predict(known, (0.1, 0.5, 0.9))
    monkeypatch.setenv(machines.SCHEDULER, address)
    spread = small().fit(known).predict(known, (0.1, 0.5, 0.9))
    assert np.isfinite(spread).all()
    size = np.abs(alone[:, :, 1]).mean()
    assert np.abs(alone - spread).mean() < 0.05 * size


def test_a_scheduler_that_is_not_there_is_told_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(machines.SCHEDULER, "tcp://127.0.0.1:9")
    patched: Any = machines._client.__wrapped__
    monkeypatch.setattr(machines, "_client", patched)
    with pytest.raises(CareGridError, match="no Dask scheduler answers"):
        machines.cluster()
