"""Rolling cutoffs over a feed's past: blind to what comes later, calibrated above capacity, same cells."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ml.warehouse import scores, tested
from ml.warehouse.data import Frames
from ml.warehouse.forecasting import panel_of
from ml.warehouse.settings import Settings
from tests.unit.ml.frames import FIRST, frame, spines, wave
from tests.unit.ml.test_forecast_of_a_feed import SMALL

pytestmark = pytest.mark.unit
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(data: Frames, settings: Settings = SMALL) -> tested.Tested:
    found = tested.run(spines(data, settings)[0], settings)
    assert found is not None
    assert not found.failed
    return found


@pytest.fixture(scope="module")
def two_versions() -> list[tested.Tested]:
    """The same frame twice: in the second, everything known after the earliest cut is other."""
    data = frame({number: wave(200, 30.0 + 10 * number, seed=number) for number in range(1, 9)})
    cut = tested.cuts_of(spines(data, SMALL)[0], SMALL)[0]
    moment = EPOCH + timedelta(microseconds=cut)
    later = pl.col("known_at") > moment
    noise = pl.Series("noise", np.random.default_rng(99).integers(0, 9999, len(data._values)).astype(float))
    changed = data._values.with_columns(value=pl.when(later).then(noise).otherwise(pl.col("value")))
    # And a correction of the past that comes after the cut.
    corrections = data._values.filter(~later).tail(300).with_columns(
        value=pl.lit(5555.0), known_at=pl.lit(moment + timedelta(seconds=1))
    )  # fmt: skip
    other = Frames(data.series(), pl.concat([changed, corrections]))
    return [run(one) for one in (data, other)]


def test_what_is_known_after_a_cut_changes_no_forecast_from_it(two_versions: list[tested.Tested]) -> None:
    """Noise for all values and corrections after the cut: all forecasts stay bit for bit the same."""
    first = [one.cells.cutoff == 0 for one in two_versions]
    assert first[0].sum() == first[1].sum() == 8 * 14
    truth = [one.cells.truth[inside] for one, inside in zip(two_versions, first, strict=True)]
    assert not np.array_equal(truth[0], truth[1])
    for model in two_versions[0].cells.models:
        for figure in ("point", "width95"):
            one, other = (
                run.cells.figure(model, figure)[inside]
                for run, inside in zip(two_versions, first, strict=True)
            )
            assert np.array_equal(one, other), (model, figure)
    # A later cutoff, which did know them, forecasts otherwise.
    last = [one.cells.figure(tested.OURS, "point")[one.cells.cutoff == 5] for one in two_versions]
    assert not np.array_equal(last[0], last[1])


def test_every_model_is_scored_on_the_same_cells(two_versions: list[tested.Tested]) -> None:
    test = two_versions[0]
    assert len(test.cuts) == 6
    assert test.cuts == sorted(test.cuts)
    assert set(test.cells.models) == {"caregrid", "seasonal_naive", "last_value", "climatology"}
    table = scores.table([test])
    by_lead = [score for score in table if "_at_" in score.metric]
    assert {score.cells for score in table if score not in by_lead} == {8 * 14 * 6}
    assert {score.cells for score in by_lead} == {8 * 6}
    assert {score.origins for score in table} == {6}
    assert {score.grain for score in table} == {"day", "day:frame"}
    loss = {s.model: s.value for s in table if s.metric == "relative_loss" and s.grain == "day"}
    assert loss["seasonal_naive"] == 1.0
    assert (loss["caregrid"] or 9) < 1


def test_a_short_history_has_its_cutoffs_close_together() -> None:
    """Seventy days with a horizon of fourteen: the usual step of nine days would leave two."""
    (spine,) = spines(frame({number: wave(70, 40.0 + number, seed=number) for number in range(1, 9)}), SMALL)
    cuts = tested.cuts_of(spine, SMALL)
    assert len(cuts) == 6
    assert len(set(np.diff(cuts))) == 1


def test_a_history_too_short_for_any_is_told() -> None:
    said: list[str] = []
    (spine,) = spines(frame({1: wave(20), 2: wave(20)}), SMALL)
    assert tested.run(spine, SMALL, progress=said.append) is None
    assert said == ["day frame: too short for a back-test"]


def test_a_champion_is_scored_beside_on_the_same_cells() -> None:
    data = frame({number: wave(160, 40.0 + 10 * number, seed=number) for number in range(1, 6)})
    hasty = replace(SMALL.grains["day"].configuration, rounds=2, spans=(14, 28, 90, 120, 150, 180))
    other = replace(SMALL, grains={"day": replace(SMALL.grains["day"], configuration=hasty)})
    found = tested.run(spines(data, SMALL)[0], SMALL, other)
    assert found is not None
    ours, theirs = (found.cells.figure(name, "wis") for name in (tested.OURS, tested.CHAMPION))
    assert np.isfinite(ours).all()
    assert np.isfinite(theirs).all()
    assert not np.array_equal(ours, theirs)


def test_a_department_at_120_percent_is_forecast_above_capacity() -> None:
    """Capacity 100, demand about 120: nothing may press the forecast down to what the beds allow."""
    numbers = list(range(1, 13))
    data = frame(
        {number: wave(300, 120.0, seed=number, noise=5.0) for number in numbers}
        | {number + 100: np.full(300, 100.0) for number in numbers},
        place_id=[*numbers, *numbers],
        unit="beds",
        measure=["occupied"] * 12 + ["staffed_capacity"] * 12,
        is_forecast=[True] * 12 + [False] * 12,
    )
    test = run(data, replace(SMALL, grains={"day": replace(SMALL.grains["day"], cutoffs=12)}))
    above = test.cells.truth > 100
    assert above.mean() > 0.6
    # Calibrated above capacity, not only over all.
    for level, (low, high) in {50: (0.38, 0.62), 80: (0.7, 0.9), 95: (0.88, 0.99)}.items():
        inside = test.cells.figure(tested.OURS, f"covered{level}")[above].mean()
        assert low <= inside <= high, level
    assert test.cells.figure(tested.OURS, "point").max() > 125
    assert test.risks is not None
    assert test.risks.event.mean() > 0.9
    assert test.risks.probability[tested.OURS].mean() > 0.85


def test_knowing_later_makes_the_forecast_longer() -> None:
    """The same values known six days late: the newest lies six days back, the targets are the same."""
    early = frame({number: wave(260, 200.0, seed=number) for number in range(1, 9)})
    late = Frames(early.series(), early._values.with_columns(known_at=pl.col("known_at") + timedelta(days=6)))
    moment = int((FIRST + timedelta(days=200)).timestamp()) * 1_000_000
    panels = [
        panel_of(spines(one, SMALL)[0].as_known(moment), np.arange(8), SMALL.grains["day"])
        for one in (early, late)
    ]
    assert (panels[0].times == panels[1].times).all()
    assert panels[0].horizon == panels[1].horizon == 14
    assert not np.isnan(panels[0].y[:, -1]).any()
    assert np.isnan(panels[1].y[:, -6:]).all()
    assert not np.isnan(panels[1].y[:, -7]).any()


def test_importing_the_package_is_light() -> None:
    heavy = ("mlflow", "lightgbm", "pandas", "polars", "matplotlib", "airflow", "numpy")
    code = f"import sys, ml; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
