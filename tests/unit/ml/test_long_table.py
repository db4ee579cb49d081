"""The warehouse's series as a table: what its own back-test sees, a table's back-test sees as well."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from caregrid.errors import CareGridError

from ml.backtest.building import Meaning, build
from ml.backtest.reading import read
from ml.backtest.times import cutoff
from ml.warehouse import long_table, tested
from ml.warehouse.data import Frames
from ml.warehouse.forecasting import panel_of
from ml.warehouse.settings import DEMO
from tests.unit.ml.frames import frame, spines, wave

pytestmark = pytest.mark.unit


def wards(grain: str = "day", late: int = 0) -> Frames:
    """Return two wards with their beds, and one without; every fifth value is corrected a period later."""
    columns = {number: wave(120, 40.0 + number, seed=number) for number in (1, 2, 3)}
    columns |= {number: np.full(120, 60.0 + number) for number in (71, 72)}
    data = frame(
        columns, grain, measure=["occupied"] * 3 + ["staffed_capacity"] * 2,
        is_forecast=[True] * 3 + [False] * 2, place_id=[1, 2, 3, 1, 2],
        region_key=["north", "south", None, "north", "south"],
    )  # fmt: skip
    known = data._values.with_columns(pl.col("known_at") + timedelta(hours=late))
    corrected = known.filter(pl.col("series_id") < 10).gather_every(5)
    corrected = corrected.with_columns(pl.col("value") + 7, pl.col("known_at") + timedelta(days=1, hours=2))
    return Frames(data.series(), pl.concat([known, corrected]))


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(("grain", "frequency"), [("hour", "H"), ("day", "D"), ("week", "W")])
def test_a_cutoff_of_the_table_knows_what_one_of_the_warehouse_knows(
    grain: str, frequency: str, suffix: str, tmp_path: Path
) -> None:
    """Values, capacity, times and revisions, panel beside panel, from a file."""
    spine = spines(wards(grain, late=3))[0]
    made = long_table.of_feed([spine], "frame", grain, DEMO)
    assert made.series == 3
    path = tmp_path / f"wards.{suffix}"
    made.rows.write_csv(path) if suffix == "csv" else made.rows.write_parquet(path)
    table = build(read(path), Meaning(frequency, capacity="capacity"), path.name)
    assert not table.vintages_assumed
    cut = tested.cuts_of(spine, DEMO)[-1]
    assert cut == int(made.cutoffs[-1].timestamp() * 1e6)
    grid = spine.as_known(cut)
    ours = panel_of(grid, np.arange(3), DEMO.grains[grain])
    asked = cutoff(made.cutoffs[-1].replace(tzinfo=None).isoformat(), frequency)
    theirs = table.panel(asked, ours.horizon)
    assert theirs.ids == ours.ids == ("1", "2", "3")
    shared = min(ours.width, theirs.width)
    np.testing.assert_array_equal(theirs.y[:, :shared], ours.y[:, :shared])
    np.testing.assert_array_equal(theirs.times[:shared], ours.times[:shared])
    assert theirs.capacity is not None
    assert ours.capacity is not None
    np.testing.assert_array_equal(theirs.capacity[:, :shared], ours.capacity[:, :shared])
    assert theirs.static["region_key"].tolist() == ["north", "south", ""]
    assert theirs.versions is not None
    assert ours.versions is not None
    assert len(theirs.versions.known) == len(ours.versions.known)


def test_a_history_published_at_once_is_known_as_in_the_warehouses_own_back_test() -> None:
    data = wards()
    bulk = data._values.with_columns(known_at=pl.col("known_at").max())
    made = long_table.of_feed(spines(Frames(data.series(), bulk)), "frame", "day", DEMO)
    assert made.assumed
    assert made.rows["known_at"].n_unique() > 100
    assert not long_table.of_feed(spines(data), "frame", "day", DEMO).assumed


def test_the_command_it_names_is_one_that_a_back_test_takes() -> None:
    from ml.backtest import asking

    made = long_table.of_feed(spines(wards()), "frame", "day", DEMO)
    words = long_table.command(made, "wards.parquet", "day", DEMO).split()
    options = asking.parser().parse_args(words[3:])
    assert options.capacity == "capacity"
    assert options.horizon == DEMO.grains["day"].horizon


def test_what_is_not_there_is_refused_with_what_there_is() -> None:
    for feed, grain in (("frame", "hour"), ("other", "day")):
        with pytest.raises(CareGridError) as told:
            long_table.of_feed(spines(wards()), feed, grain, DEMO)
        assert "frame (day)" in str(told.value.fix)
