"""A model that is saved and loaded answers with the very same numbers; its files hold no pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml import drift
from ml.panel import Floats, Panel
from ml.recipe import CareGridModel
from ml.recipe.files import load, load_all, save, save_all
from ml.recipe.model import FittedCareGrid
from tests.unit.ml.recipe import panels

pytestmark = pytest.mark.unit
HORIZON = 5
KINDS = np.array(["ward", "icu", "ward", "icu"])


def series(frequency: str, periods: int, known: int, **more: Any) -> Panel:
    """Return four series of which so many periods are known, with a kind, a capacity and a signal each."""
    y, mean, _ = panels.census(4, periods, season={"H": 24, "D": 7, "W": 52}[frequency])
    y[1, 20:24] = np.nan
    return panels.panel(
        y[:, :known], HORIZON, frequency, static={"kind": KINDS}, capacity=mean[:, :known] + 9,
        past={"visits": mean[:, :known] / 3}, **more,
    )  # fmt: skip


def kept(fitted: FittedCareGrid, folder: Path) -> FittedCareGrid:
    """Return the model after it went through files."""
    save(fitted, folder)
    assert {file.suffix for file in folder.iterdir()} <= {".json", ".npz", ".txt"}
    return load(folder)


def answers(fitted: FittedCareGrid, panel: Panel) -> Floats:
    """Return the quantiles, all of them numbers."""
    said = fitted.predict(panel, panels.LEVELS)
    assert np.isfinite(said).all()
    return said


@pytest.mark.parametrize(("frequency", "periods"), [("H", 900), ("D", 420), ("W", 160)])
def test_a_loaded_model_answers_as_the_one_that_was_saved(
    frequency: str, periods: int, tmp_path: Path
) -> None:
    known, later = series(frequency, periods, periods - 20), series(frequency, periods, periods)
    fitted = panels.small(3000, 20).fit(known)
    assert fitted.blend is not None
    again = kept(fitted, tmp_path)
    assert np.array_equal(answers(fitted, known), answers(again, known))
    assert np.array_equal(answers(fitted, later), answers(again, later))
    assert not np.array_equal(answers(again, known), answers(again, later))
    assert again.configuration == fitted.configuration
    assert again.horizon == HORIZON


def test_a_model_of_too_few_rows_is_kept_too(tmp_path: Path) -> None:
    known = series("D", 30, 24)
    fitted = panels.small().fit(known)
    assert fitted.blend is None
    again = kept(fitted, tmp_path)
    assert again.blend is None
    assert np.array_equal(answers(fitted, known), answers(again, known))
    nothing = CareGridModel().fit(panels.panel(np.full((2, 8), np.nan), HORIZON))
    assert kept(nothing, tmp_path / "nothing").spread is not None


def test_what_stands_beside_the_models_is_kept(tmp_path: Path) -> None:
    fitted = panels.small(3000, 20).fit(series("D", 420, 400))
    assert fitted.sample_rows is not None
    assert fitted.sample_rows.shape == (500, len(fitted.feature_names))
    fitted.references = [drift.reference("size", np.arange(900.0)), drift.reference("kind", ["a", "b"] * 9)]
    again = kept(fitted, tmp_path)
    assert again.references == fitted.references
    assert again.feature_names == fitted.feature_names
    assert again.levels == fitted.levels == {"kind": ["icu", "ward"]}
    assert again.sample_rows is not None
    assert np.array_equal(again.sample_rows, fitted.sample_rows, equal_nan=True)


def test_the_models_of_several_feeds_are_found_by_their_names(tmp_path: Path) -> None:
    fitted = panels.small(3000, 20).fit(series("D", 420, 400))
    few = panels.small().fit(series("W", 30, 24))
    save_all({("day", "beds"): fitted, ("week", "a/feed of: ours"): few}, tmp_path)
    found = load_all(tmp_path)
    assert set(found) == {("day", "beds"), ("week", "a/feed of: ours")}
    assert found["day", "beds"].blend is not None
    assert found["week", "a/feed of: ours"].blend is None


def test_one_series_alone_is_told_what_it_is_told_among_all() -> None:
    known = series("D", 420, 400)
    fitted = panels.small(3000, 20).fit(known)
    # By itself its kind is the first of the alphabet; the model knows it as the second.
    alone = Panel(
        "D", known.ids[2:3], known.times, HORIZON, known.cutoff, known.y[2:3],
        static={"kind": KINDS[2:3]}, past={"visits": known.past["visits"][2:3]},
        capacity=known.capacity[2:3] if known.capacity is not None else None,
    )  # fmt: skip
    other = Panel(
        "D", alone.ids, alone.times, HORIZON, alone.cutoff, alone.y, static={"kind": KINDS[1:2]},
        past=alone.past, capacity=alone.capacity,
    )  # fmt: skip
    assert fitted.levels == {"kind": ["icu", "ward"]}
    column = fitted.feature_names.index("static_kind")
    assert _kind(fitted, alone, column) == 1.0
    assert _kind(fitted, other, column) == 0.0


def test_a_panel_without_the_signal_and_the_holidays_of_training_is_answered() -> None:
    y, _, _ = panels.census(4, 420)
    country = {"country_code": np.array(["DE"] * 4)}
    known = panels.panel(y, HORIZON, static=country, past={"visits": y / 3})
    fitted = panels.small(3000, 20).fit(known)
    assert "holiday_0" in fitted.feature_names
    bare = panels.panel(y[:, :60], HORIZON)
    assert np.isfinite(fitted.predict(bare, panels.LEVELS)).all()


def _kind(fitted: FittedCareGrid, panel: Panel, column: int) -> float:
    from ml.recipe.features import Features
    from ml.recipe.history import History

    history = History(panel, fitted.configuration, fitted.country)
    at = np.zeros(1, dtype=np.int64)
    rows = Features(history, fitted.ids, fitted.levels).rows(at, at + 399, at + 1)
    return float(rows.under(fitted.feature_names)[0, column])


@pytest.mark.parametrize("name", ["trees_0.txt", "spread.txt", "arrays.npz", "model.json"])
@pytest.mark.parametrize("left", [0.9, None])
def test_a_file_that_was_cut_short_or_lost_is_refused_by_name(
    name: str, left: float | None, tmp_path: Path
) -> None:
    """LightGBM ends the process at a text that breaks off, so nothing of it may reach LightGBM."""
    save_all({("day", "beds"): panels.small(2000, 10).fit(series("D", 420, 400))}, tmp_path)
    (file,) = tmp_path.rglob(name)
    whole = file.read_bytes()
    if left is None:
        file.unlink()
    else:
        file.write_bytes(whole[: int(len(whole) * left)])
    with pytest.raises(ValueError, match=rf"day/beds/{name} is (gone|not what was written)"):
        load_all(tmp_path)
