"""Leak tests: noise after the cutoff changes nothing, late news is worse, and planted leaks are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError
from hypothesis import given
from hypothesis import strategies as st

from ml import paths
from ml.backtest import leaks, models
from ml.backtest.table import Table
from ml.backtest.times import STEPS, Cutoff, cutoff
from ml.panel import Floats, Forecaster, Panel
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)
# A model of each kind; the two of statsforecast differ by their class alone.
HONEST = (
    "caregrid",
    "last_value",
    "seasonal_naive",
    "climatology",
    "auto_theta",
    "auto_theta_recalibrated",
    "mlforecast",
)
FREQUENCIES = {"H": (360, "2023-01-14T07:00", 6), "D": (260, "2023-09-01", 5), "W": (130, "2025-05-04", 3)}


def named(name: str) -> Callable[[Table], Forecaster]:
    """Return a maker of a model that is always scored beside, and skip it where its library is absent."""
    _, absent = models.named([name])
    if absent:
        pytest.skip(f"{absent}")
    return lambda table: models.named([name])[0][0]


def made(frequency: str, vintages: bool = False) -> tuple[Table, Cutoff, int]:
    """Return a table with a further signal, a cutoff within it and a horizon."""
    periods, at, horizon = FREQUENCIES[frequency]
    rows = toys.frame(frequency, periods, series=2)
    rng = np.random.default_rng(5)
    rows = rows.with_columns(pl.Series("sick", rng.normal(10, 2, len(rows))), pl.lit("north").alias("region"))
    if vintages:
        # First reported a tenth too low, corrected three periods later.
        step = STEPS[frequency]
        rows = rows.with_columns(pl.col("ds").alias("known_at"))
        rows = pl.concat(
            [
                rows.with_columns((pl.col("y") * 0.9).round()),
                rows.with_columns((pl.col("ds") + 3 * step).alias("known_at")),
            ]
        )
    table = toys.made(rows, frequency)
    return table, cutoff(at, frequency), horizon


@pytest.mark.parametrize("vintages", [False, True])
@pytest.mark.parametrize("frequency", FREQUENCIES)
@pytest.mark.parametrize("name", HONEST)
def test_noise_after_the_cutoff_leaves_every_forecast_as_it_was(
    name: str, frequency: str, vintages: bool
) -> None:
    table, at, horizon = made(frequency, vintages)
    finding = leaks.check(table, at, named(name), horizon, LEVELS)
    assert not finding.reason
    assert finding.identical
    assert np.isfinite(finding.wis)


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_the_noise_reaches_all_that_is_not_known_and_nothing_that_is(frequency: str) -> None:
    table, at, horizon = made(frequency, vintages=True)
    other = leaks.noised(table, at, 1)
    known = (table.known <= at.known) & (table.column <= table.column_at(at.at))
    assert known.any()
    assert (~known).any()
    for before, after in ((table.y, other.y), (table.numbers["sick"], other.numbers["sick"])):
        np.testing.assert_array_equal(before[known], after[known])
        assert (before[~known] != after[~known]).mean() > 0.9
    ours, theirs = table.panel(at, horizon), other.panel(at, horizon)
    np.testing.assert_array_equal(ours.y, theirs.y)
    np.testing.assert_array_equal(ours.past["sick"], theirs.past["sick"])
    np.testing.assert_array_equal(ours.static["region"], theirs.static["region"])


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 14), st.integers(0, 50)),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[:3],
    ),
    st.integers(0, 16),
    st.integers(0, 3),
)
def test_no_part_of_a_panel_changes_with_what_is_not_known(
    rows: list[tuple[int, int, int, int]], at: int, seed: int
) -> None:
    """Any rows, any versions, any cutoff: values, signals, what does not change, versions, grid and names."""
    day = STEPS["D"]
    steady = [(9, number, number, 1) for number in range(10)]  # no hole looks like another frequency
    frame = pl.DataFrame(
        {
            "unique_id": [f"s{row[0]}" for row in (*rows, *steady)],
            "ds": [row[1] * day for row in (*rows, *steady)],
            "y": [float(row[3]) for row in (*rows, *steady)],
            "known_at": [row[2] * day for row in (*rows, *steady)],
            "sick": [float(row[3] % 7) for row in (*rows, *steady)],
            "population": [float(row[3] % 5) for row in (*rows, *steady)],
            "region": [f"r{row[3] % 3}" for row in (*rows, *steady)],
            "line": list(range(len(rows) + 10)),
        }
    )
    table = toys.made(frame, "D")
    when = cutoff(f"1970-01-{at + 1:02}", "D")
    one, other = table.panel(when, 3), leaks.noised(table, when, seed).panel(when, 3)
    assert one.ids == other.ids
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.y, other.y)
    np.testing.assert_array_equal(one.past["sick"], other.past["sick"])
    for name in ("population", "region"):
        np.testing.assert_array_equal(one.static[name], other.static[name])
    assert one.versions is not None
    assert other.versions is not None
    for field in ("row", "column", "known", "value"):
        np.testing.assert_array_equal(getattr(one.versions, field), getattr(other.versions, field))
    assert (one.versions.known <= when.known).all()


@pytest.mark.parametrize("name", ["last_value", "auto_theta"])
def test_later_knowledge_is_worse(name: str) -> None:
    """Over several cutoffs of walks: what is known a horizon later has a larger error."""
    table = toys.made(toys.frame("D", 260, series=4, wave=0), "D")
    found = [
        leaks.check(table, cutoff(f"2023-{month:02}-10", "D"), named(name), 5, LEVELS)
        for month in range(3, 9)
    ]
    assert np.mean([one.delayed for one in found]) > np.mean([one.wis for one in found])


@dataclass
class Peeking:
    """Kept the table from outside and looks the answer up."""

    table: Table
    name: str = "peeking"

    def fit(self, panel: Panel) -> Peeking:
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        truth = self.table.truth()[:, -panel.horizon - 5 :]
        return np.repeat(truth[:, : panel.horizon, None], len(quantiles), axis=2)


@dataclass
class PeekingPaths:
    """Its quantiles are honest, its paths are not."""

    table: Table
    name: str = "peeking_paths"

    def fit(self, panel: Panel) -> PeekingPaths:
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        return np.tile(np.asarray(quantiles), (len(panel.ids), panel.horizon, 1))

    def paths(self, panel: Panel, count: int, seed: int) -> Floats:
        return np.full((count, len(panel.ids), panel.horizon), np.nansum(self.table.truth()))


@pytest.mark.parametrize("leak", [Peeking, PeekingPaths])
@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_a_planted_leak_is_caught(frequency: str, leak: Callable[[Table], Forecaster]) -> None:
    table, at, horizon = made(frequency)
    assert not leaks.check(table, at, leak, horizon, LEVELS).identical
    told: list[str] = []
    found = leaks.command(table, at, {"leak": lambda: leak(table)}, horizon, LEVELS, told.append)
    # The command cannot hand a stranger's model the noised table: what it kept from outside stays the same.
    assert found == 0
    assert "unchanged" in told[0]


def test_the_command_says_of_each_model_what_was_found() -> None:
    table, at, horizon = made("D")
    told: list[str] = []
    calls: list[int] = []

    class Unsteady(Peeking):
        def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
            calls.append(1)
            return np.full((len(panel.ids), panel.horizon, len(quantiles)), float(len(calls)))

    makers = {"last_value": lambda: named("last_value")(table), "unsteady": lambda: Unsteady(table)}
    assert leaks.command(table, at, makers, horizon, LEVELS, told.append) == leaks.LEAK
    assert "unchanged by noise" in told[0]
    assert "LEAK" in told[1]


@pytest.mark.parametrize("form", ["itself", "as a rate", "with a little noise"])
@pytest.mark.parametrize(("later", "ahead"), [(0, True), (1, False), (3, False), (5, True)])
def test_a_column_of_the_future_is_refused(later: int, ahead: bool, form: str) -> None:
    rows = toys.frame("D", 300).sort("unique_id", "ds")
    future = pl.col("y").shift(-later).over("unique_id")
    noise = pl.Series(np.random.default_rng(1).normal(0, 0.05, len(rows)))
    number = pl.col("unique_id").str.slice(1).cast(pl.Float64) + 1
    forms = {"itself": future, "as a rate": 3 + future / number, "with a little noise": future + noise}
    table = toys.made(rows.with_columns(forecast=forms[form]), "D", ahead=("forecast",) if ahead else ())
    with pytest.raises(CareGridError, match=f"as y does {later} periods later") as refused:
        leaks.refuse_columns_of_the_future(table, 5)
    assert "column forecast" in str(refused.value)


@pytest.mark.parametrize("later", [0, -1, -7])
def test_a_column_of_the_past_is_none_of_the_future(later: int) -> None:
    rows = toys.frame("D", 300).sort("unique_id", "ds")
    rows = rows.with_columns(pl.col("y").shift(-later).over("unique_id").alias("earlier"))
    leaks.refuse_columns_of_the_future(toys.made(rows, "D"), 7)


def test_where_y_repeats_itself_its_past_is_no_leak() -> None:
    """Every week is the same: a column of last week's y holds next week's as well."""
    rows = toys.frame("D", 300).sort("unique_id", "ds")
    week = pl.Series(np.tile(np.arange(300) % 7 * 2.0, 4))
    rows = rows.with_columns(y=week).with_columns(earlier=pl.col("y").shift(7).over("unique_id"))
    leaks.refuse_columns_of_the_future(toys.made(rows, "D"), 7)


def test_a_column_that_grows_as_y_does_is_no_leak() -> None:
    rng = np.random.default_rng(2)
    rows = toys.frame("D", 300).with_columns(
        y=pl.Series(np.tile(np.arange(300.0), 4) + rng.normal(0, 1, 1200)),
        other=pl.Series(np.tile(np.arange(300.0), 4) + rng.normal(0, 1, 1200)),
    )
    leaks.refuse_columns_of_the_future(toys.made(rows, "D"), 7)


def test_paths_by_past_errors_are_blind_to_the_future_too() -> None:
    table, at, horizon = made("D")
    said = []
    for one in (table, leaks.noised(table, at, 1)):
        panel = one.panel(at, horizon)
        values = models.named(["last_value"])[0][0].fit(panel).predict(panel, LEVELS)
        said.append(paths.shuffle(panel, values, LEVELS, 200, 1))
    np.testing.assert_array_equal(*said)
