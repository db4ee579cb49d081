"""Rolling origins: what one model cannot do costs only that; all that was asked is written or told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml.backtest import files, hierarchy, rolling
from ml.backtest.naive import LastValue
from ml.backtest.recalibrated import Recalibrated
from ml.backtest.table import Table
from ml.backtest.times import Cutoff, cutoffs
from ml.panel import Floats, Forecaster, Panel
from tests.unit.ml.backtest import toys

pytestmark = pytest.mark.unit
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass
class Stub:
    """A model that answers with whatever a function makes of the panel."""

    name: str
    answer: Callable[[Panel], Any]
    reasons: dict[str, str] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)

    def fit(self, panel: Panel) -> Stub:
        return self

    def predict(self, panel: Panel, quantiles: tuple[float, ...]) -> Floats:
        made: Floats = self.answer(panel)
        return made


def shape(panel: Panel) -> tuple[int, int, int]:
    return len(panel.ids), panel.horizon, len(LEVELS)


def run(
    table: Table, at: list[Cutoff], models: list[Forecaster], folder: Path, **plan: Any
) -> tuple[pl.DataFrame, rolling.Told]:
    asked = rolling.Plan(3, LEVELS, **plan)
    with files.Writer(folder / "forecasts.parquet") as rows, files.Writer(folder / "paths.parquet") as paths:
        told = rolling.run(table, at, models, asked, rows, paths)
    return pl.read_parquet(folder / "forecasts.parquet"), told


@pytest.fixture(scope="module")
def table() -> Table:
    rows = toys.frame("D", 120)
    return toys.made(rows.with_columns(pl.Series("region", np.repeat(["n", "n", "s", "s"], 120))), "D")


AT = cutoffs("2023-03-01:2023-03-29:14D", "D")


def test_how_a_forecast_was_made_is_kept_beside_it(table: Table, tmp_path: Path) -> None:
    told = run(
        table,
        AT[:2],
        [Stub("ours", lambda panel: np.ones(shape(panel)), how={"s02": "few values", "": "in summer"})],
        tmp_path,
    )[1]
    assert [line[1:] for line in told.remarks] == [
        ("ours", "", "in summer"),
        ("ours", "s02", "few values"),
    ] * 2
    assert len({line[0] for line in told.remarks}) == 2


def test_a_model_that_fails_loses_its_cells_and_no_others(table: Table, tmp_path: Path) -> None:
    def breaks(panel: Panel) -> Floats:
        if panel.cutoff == AT[1].known:
            raise ValueError("no idea")
        return np.ones(shape(panel))

    def holes(panel: Panel) -> Floats:
        said = np.ones(shape(panel))
        said[1] = np.nan
        said[2, 0, 3] = np.inf
        return said

    def writes(panel: Panel) -> Floats:
        panel.y[:] = 0
        return np.ones(shape(panel))

    def quits(panel: Panel) -> Floats:
        raise SystemExit(3)

    models: list[Forecaster] = [
        Stub("breaks", breaks),
        Stub("quits", quits),
        Stub("holes", holes, {"s01": "closed"}),
        Stub("flat", lambda panel: np.ones((3, 3))),
        Stub("writes", writes),
        LastValue(),
    ]
    rows, told = run(table, AT, models, tmp_path)
    cells = rows.group_by("model").agg(n=pl.len() // len(LEVELS))
    assert dict(cells.rows()) == {"breaks": 24, "holes": 24, "last_value": 36}
    assert told.answered == {"breaks": 24, "holes": 24, "last_value": 36}
    reasons = {(line[1], line[2]): line for line in told.unanswered}
    assert reasons["breaks", ""][4] == "ValueError: no idea"
    assert reasons["breaks", ""][3] == 12
    assert reasons["quits", ""][4] == "SystemExit: 3"
    assert "shape (3, 3)" in reasons["flat", ""][4]
    assert reasons["holes", "s01"][3:] == (3, "closed")
    assert reasons["holes", "s02"][3:] == (1, "the answer holds infinity in place of a number")
    # What a model must not do to the next one's data is its failure.
    assert "read-only" in reasons["writes", ""][4]
    assert sum(line[1] == "flat" for line in told.unanswered) == 3


def test_an_answer_without_a_number_or_a_reason_is_told_by_what_can_be_seen(tmp_path: Path) -> None:
    rows = toys.frame("D", 120)
    day = np.datetime64("2023-01-01") + np.tile(np.arange(120), 4)
    name = rows["unique_id"].to_numpy()
    ended = (name == "s00") & (day > np.datetime64("2023-02-01"))
    begins = (name == "s01") & (day < np.datetime64("2023-03-28"))
    rows = rows.filter(pl.Series(~ended & ~begins))
    models: list[Forecaster] = [Stub("none", lambda panel: np.full(shape(panel), np.nan))]
    _, told = run(toys.made(rows, "D"), AT[-1:], [*models, LastValue()], tmp_path)
    reasons = {line[2]: line[4] for line in told.unanswered if line[1] == "none"}
    assert (
        reasons["s00"]
        == "no answer to a series that is silent since 2023-02-01, 56 periods before the cutoff"
    )
    assert reasons["s01"] == "no answer from too little history: 2 values"
    assert reasons["s02"] == "no number in the answer, though 88 values were known"
    assert told.silent(["none", "last_value", "absent"]) == {
        "none": reasons["s00"],
        "absent": "nothing was known by any cutoff",
    }


def test_the_rows_written_are_the_cells_asked_for(table: Table, tmp_path: Path) -> None:
    ramp = np.arange(5.0)
    model = Stub("ramp", lambda panel: np.arange(12.0).reshape(4, 3, 1) + ramp)
    model.fingerprint = lambda: "0a1b"  # type: ignore[attr-defined]
    rows, told = run(table, AT[:1], [model], tmp_path)
    assert told.fingerprints == {"ramp": "0a1b"}
    assert rows.columns == ["unique_id", "cutoff", "ds", "horizon", "model", "quantile", "value"]
    assert len(rows) == 4 * 3 * 5
    one = rows.filter((pl.col("unique_id") == "s02") & (pl.col("horizon") == 2)).sort("quantile")
    assert one["value"].to_list() == (7.0 + ramp).tolist()
    assert one["quantile"].to_list() == list(LEVELS)
    assert str(one["ds"][0]) == "2023-03-03 00:00:00"
    assert str(one["cutoff"][0]) == "2023-03-01 00:00:00"
    assert told.crossed == {"ramp": 0}
    season = 7
    y = table.panel(AT[0], 3).y[0]
    assert told.naive[0][2] == pytest.approx(np.abs(y[season:] - y[:-season]).mean())


def test_quantiles_that_cross_are_put_in_order_and_counted(table: Table, tmp_path: Path) -> None:
    def crossing(panel: Panel) -> Floats:
        said = np.tile(np.arange(5.0), (4, 3, 1))
        said[0, 0] = said[0, 0, ::-1]
        return said

    rows, told = run(table, AT[:1], [Stub("crossing", crossing)], tmp_path)
    assert told.crossed == {"crossing": 1}
    assert (np.diff(rows["value"].to_numpy().reshape(-1, 5), axis=1) >= 0).all()


def test_nothing_known_yet_is_told_and_the_next_cutoff_goes_on(table: Table, tmp_path: Path) -> None:
    rows, told = run(table, cutoffs("2022-06-01,2023-03-01", "D"), [LastValue()], tmp_path)
    assert rows["cutoff"].n_unique() == 1
    assert told.unanswered[0] == ("2022-06-01", "", "", 0, "nothing was known by this cutoff")


def test_a_sum_is_the_sum_of_its_places_path_by_path(table: Table, tmp_path: Path) -> None:
    sums = hierarchy.sums_of(table, ("region",))
    assert sums.ids == ("region=n", "region=s")
    rows, told = run(table, AT[:2], [LastValue()], tmp_path, paths_of=("last_value",), sums=sums)
    paths = pl.read_parquet(tmp_path / "paths.parquet")
    assert paths["path"].n_unique() == 200
    wide = paths.pivot(on="unique_id", index=["cutoff", "path", "ds"], values="value")
    np.testing.assert_allclose(wide["region=n"], wide["s00"] + wide["s01"], rtol=1e-5)
    np.testing.assert_allclose(wide["region=s"], wide["s02"] + wide["s03"], rtol=1e-5)
    assert told.parts == {"region=n": ["s00", "s01"], "region=s": ["s02", "s03"]}
    said = rows.filter(pl.col("unique_id") == "region=n")
    assert len(said) == 2 * 3 * 5
    middle = said.filter((pl.col("quantile") == 0.5) & (pl.col("horizon") == 1)).sort("cutoff")["value"]
    drawn = wide.filter(pl.col("ds") == pl.datetime(2023, 3, 2))["region=n"].median()
    assert middle[0] == pytest.approx(drawn, rel=1e-3)


def test_a_place_belongs_where_it_was_first_said_to(table: Table) -> None:
    rows = toys.frame("D", 60)
    moved = pl.when((pl.col("unique_id") == "s00") & (pl.col("ds") > rows["ds"][30])).then(pl.lit("s"))
    home = pl.col("unique_id").replace_strict({"s00": "n", "s01": "n", "s02": "s", "s03": "s"})
    made = toys.made(rows.with_columns(region=moved.otherwise(home)), "D")
    assert hierarchy.sums_of(made, ("region",)) == hierarchy.sums_of(table, ("region",))
    assert made.static_values("region", len(made.known), made.width)[0] == "s"


def test_a_place_that_closed_is_no_part_of_the_sum_and_one_without_an_answer_leaves_none(
    tmp_path: Path,
) -> None:
    rows = toys.frame("D", 120).with_columns(region=pl.lit("n"))
    closed = rows.filter((pl.col("unique_id") != "s00") | (pl.col("ds") < rows["ds"][20]))
    table = toys.made(closed, "D")
    sums = hierarchy.sums_of(table, ("region",))
    panel = table.panel(AT[0], 3)
    assert [panel.ids[row] for row in hierarchy.living(panel, sums)[0]] == ["s01", "s02", "s03"]
    ones = np.ones((200, 4, 3))
    names, totals = hierarchy.add(panel, sums, ones, np.array([False, True, True, True]))
    assert names == ("region=n",)
    assert (totals == 3).all()
    assert hierarchy.add(panel, sums, ones, np.array([True, True, False, True]))[0] == ()
    # The truth of the sum is told while all report that report at all.
    whole = hierarchy.summed(table, sums, table.truth())
    y = table.truth()
    np.testing.assert_allclose(whole[0, :20], y[:, :20].sum(axis=0))
    np.testing.assert_allclose(whole[0, 20:], y[1:, 20:].sum(axis=0))


def test_recalibration_leaves_the_points_and_makes_too_narrow_intervals_cover(tmp_path: Path) -> None:
    """The intervals of the base are a tenth as wide as its errors are."""
    rng = np.random.default_rng(7)
    rows = toys.frame("D", 300, series=30)
    rows = rows.with_columns(y=pl.Series(50 + 10 * rng.standard_normal(len(rows))))
    table = toys.made(rows, "D")
    narrow = Stub(
        "narrow", lambda panel: np.full(shape(panel), 50.0) + np.array([-1.2816, -0.6745, 0, 0.6745, 1.2816])
    )
    at = cutoffs("2023-06-01:2023-09-24:3D", "D")
    said, _ = run(table, at, [narrow, Recalibrated(narrow)], tmp_path)
    truth = table.frame(table.truth())
    found = said.join(truth, on=["unique_id", "ds"])
    assert found.filter(pl.col("quantile") == 0.5)["value"].unique().to_list() == [50.0]
    wide = found.pivot(on="quantile", index=["unique_id", "cutoff", "ds", "model", "y"], values="value")
    inside = wide.group_by("model").agg(share=pl.col("y").is_between(pl.col("0.1"), pl.col("0.9")).mean())
    shares = dict(inside.rows())
    assert shares["narrow"] < 0.2
    # 3,510 cells of a share of 0.8: three standard errors are 0.02, the pooled offsets' own error as much.
    assert abs(shares["narrow_recalibrated"] - 0.8) < 0.04


def test_the_recalibrated_model_uses_no_truth_that_is_not_in_its_panel(table: Table) -> None:
    """Asked at a later cutoff first, it forgets that for the earlier one."""
    fresh, seasoned = Recalibrated(LastValue()), Recalibrated(LastValue())
    early, late = table.panel(AT[0], 3), table.panel(AT[2], 3)
    seasoned.fit(late).predict(late, LEVELS)
    np.testing.assert_array_equal(
        fresh.fit(early).predict(early, LEVELS), seasoned.fit(early).predict(early, LEVELS)
    )
