"""The model of beds from stays: leak-free, calibrated, and clear where stays are few or wrong."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from caregrid.errors import CareGridError
from scipy import stats

from ml import metrics
from ml.backtest.rolling import ask
from ml.census import Census, Stays, read_stays
from ml.census.stays import OPEN
from ml.panel import WHOLE_QUANTILES, Panel
from tests.unit.ml.census import wards

pytestmark = pytest.mark.unit
COUNTED = {"H": 0.0, "D": 24.0}


def forecast(of: Stays, panel: Panel) -> np.ndarray:
    answer = ask(Census(of, COUNTED[panel.frequency]), panel, WHOLE_QUANTILES)
    assert answer.values is not None, answer.reason
    return answer.values


@pytest.mark.parametrize(("frequency", "cutoff"), [("H", 24 * 150 + 7.0), ("D", 24 * 150 - 1e-9)])
def test_nothing_of_after_the_cutoff_reaches_a_forecast(frequency: str, cutoff: float) -> None:
    of = wards.simulated(3, 170, seed=2)
    panel = wards.panel(of, cutoff, 14, frequency)
    rng = np.random.default_rng(3)
    later, unknown = of.begin > panel.cutoff, of.end > panel.cutoff
    assert later.sum() > 50
    assert (unknown & ~later).sum() > 30
    span = 40 * 24 * wards.HOUR
    begin = np.where(later, panel.cutoff + 1 + rng.integers(0, span, len(later)), of.begin)
    end = np.where(unknown, np.maximum(begin, panel.cutoff + 1) + rng.integers(0, span, len(later)), of.end)
    end[unknown & (rng.uniform(size=len(later)) < 0.3)] = OPEN
    noise = Stays(np.where(later, rng.permutation(of.place), of.place), begin, end)
    more = Stays(
        *(
            np.concatenate(pair)
            for pair in zip(vars(noise).values(), vars(noise.of(later)).values(), strict=True)
        )
    )
    for other in (noise, more, noise.of(~later)):
        assert np.array_equal(forecast(of, panel), forecast(other, panel))
    # The same noise before the cutoff does change it.
    known = of.end <= panel.cutoff
    earlier = Stays(of.place, of.begin, np.where(known & (rng.uniform(size=len(known)) < 0.1), OPEN, of.end))
    assert not np.array_equal(forecast(of, panel), forecast(earlier, panel))


@pytest.mark.parametrize(("frequency", "horizon"), [("H", 24), ("D", 10)])
def test_intervals_hold_as_often_as_they_say(frequency: str, horizon: int) -> None:
    of = wards.simulated(6, 320, seed=4, mean=5.0)
    truths, said = [], []
    for day in range(190, 310, 15):
        cutoff = day * 24 + (day % 24) * (frequency == "H") - 1e-9 * (frequency == "D")
        panel = wards.panel(of, cutoff, horizon, frequency)
        truths.append(wards.truth(of, panel, int(COUNTED[frequency])).ravel())
        said.append(forecast(of, panel).reshape(-1, len(WHOLE_QUANTILES)))
    seen, made = np.concatenate(truths), np.concatenate(said)
    mass = metrics.mass_between_quantiles(
        (made < seen[:, None]).sum(axis=1), (made <= seen[:, None]).sum(axis=1), WHOLE_QUANTILES
    )
    # Leads of one forecast go wrong together, so each forecast of a place counts as one draw.
    draws = len(said) * 6
    for level in (0.5, 0.8, 0.95):
        low, high = (WHOLE_QUANTILES.index(round(edge, 3)) for edge in ((1 - level) / 2, (1 + level) / 2))
        held = mass[low + 1 : high + 1].sum() / len(seen)
        edges = stats.binom(draws, level).ppf([0.0005, 0.9995]) / draws
        assert edges[0] <= held <= edges[1], (level, held, edges)


def test_far_ahead_the_beds_are_arrivals_times_length_of_stay() -> None:
    """Little's law: 14 a day who stay 100 hours on average (exponential) make 58.3 beds."""
    rng = np.random.default_rng(6)
    begin = np.sort(rng.uniform(0, 24 * 400, 14 * 400))
    of = wards.stays([("w", b, b + rng.exponential(100.0)) for b in begin])
    said = forecast(of, wards.panel(of, 24 * 400 - 1.0, 28, "D"))
    middle = WHOLE_QUANTILES.index(0.5)
    assert said[0, -1, middle] == pytest.approx(14 / 24 * 100, abs=6)


def test_a_file_that_starts_with_the_patients_of_a_day_is_not_taken_for_a_rise() -> None:
    of = wards.simulated(2, 200, seed=12, length=200.0)
    started = of.of(of.end > wards.START + 24 * 130 * wards.HOUR)
    panel = wards.panel(of, 24 * 198.0, 24)
    whole, part = (Census(each).fit(panel) for each in (of, started))
    # Of earlier patients only those who stay long are in it: they must not make arrivals seem to rise.
    age = np.array([72.0, 240.0])
    for row in range(2):
        np.testing.assert_allclose(
            np.exp(-part.hazards[row].at(age)), np.exp(-whole.hazards[row].at(age)), atol=0.05
        )
    np.testing.assert_allclose(part.arrivals.level, whole.arrivals.level, rtol=0.05)
    assert part.arrivals.spread[:, :7].max() < whole.arrivals.spread[:, :7].max() + 0.05


def test_departures_by_day_are_not_forecast_for_the_night() -> None:
    rng = np.random.default_rng(7)
    begin = np.sort(rng.uniform(0, 24 * 200, 200 * 12))
    of = wards.stays([("w", b, (b // 24 + 1 + rng.geometric(0.4)) * 24 + rng.uniform(11, 15)) for b in begin])
    said = forecast(of, wards.panel(of, 24 * 190 + 20.0, 24))[0, :, WHOLE_QUANTILES.index(0.5)]
    # From 20:00: nobody leaves up to 10:00 next morning. By 16:00 12 have left and 3 come; without
    # a rhythm as many leave as come.
    assert said[13] >= said[0]
    assert said[13] - said[19] > (12 - 3) / 2


def test_a_place_without_stays_has_a_reason_and_takes_none_down() -> None:
    of = wards.simulated(2, 60, seed=8)
    panel = wards.panel(of, 1400.0, 6, ids=("unknown", "w0", "w1"))
    answer = ask(Census(of), panel, WHOLE_QUANTILES)
    assert answer.values is not None
    assert np.isnan(answer.values[0]).all()
    assert not np.isnan(answer.values[1:]).any()
    assert answer.reasons == {"unknown": "no stay of the last year is known"}
    nobody = ask(Census(of), wards.panel(of, 1400.0, 6, ids=("a", "b")), WHOLE_QUANTILES)
    assert nobody.values is not None
    assert np.isnan(nobody.values).all()
    assert set(nobody.reasons) == {"a", "b"}


def test_all_patients_gone_long_ago() -> None:
    of = wards.stays([("w", hour, hour + 5.0) for hour in range(100)])
    assert forecast(of, wards.panel(of, 24 * 300.0, 48)).max() == 0


def test_nobody_ever_left() -> None:
    of = wards.stays([("w", hour, None) for hour in range(0, 2000, 10)])
    said = forecast(of, wards.panel(of, 2000.0, 48))
    assert said.min() >= 200
    assert said[0, -1, WHOLE_QUANTILES.index(0.5)] == pytest.approx(204.8, abs=2)


def test_stays_of_no_length_fill_no_bed() -> None:
    of = wards.stays([("w", hour, hour) for hour in range(0, 2000, 3)])
    assert forecast(of, wards.panel(of, 2000.0, 24)).max() == 0


def test_few_stays_lean_on_all_places() -> None:
    rng = np.random.default_rng(9)
    begin = rng.uniform(0, 4000, 3000)
    rows: list[tuple[str, float, float | None]] = [("large", b, b + rng.exponential(50.0)) for b in begin]
    of = wards.stays([*rows, *[("small", 3990.0 + at, None) for at in range(10)]])
    said = forecast(of, wards.panel(of, 4000.0, 48))[:, :, WHOLE_QUANTILES.index(0.5)]
    # None of the ten has left yet; most of all patients leave within two days.
    assert said[1, 0] >= 9
    present = Census(of).fit(wards.panel(of, 4000.0, 48))
    assert np.exp(-present.hazards[1].at(np.array([48.0]))[0]) == pytest.approx(np.exp(-48 / 50), abs=0.1)


def test_stays_that_are_not_the_series_are_told() -> None:
    of = wards.simulated(2, 60, seed=10)
    panel = wards.panel(of, 1400.0, 6)
    assert ask(Census(of), panel, WHOLE_QUANTILES).how == {}
    panel.y[1] *= 2
    told = ask(Census(of), panel, WHOLE_QUANTILES).how
    assert list(told) == ["w1"]
    assert "where the series says" in told["w1"]


def test_hours_of_the_week_follow_the_clock_of_the_place() -> None:
    of = wards.simulated(1, 100, seed=11)
    panel = wards.panel(of, 2000.0, 24)
    shifted = Panel(**{**vars(panel), "clock": np.full((1, len(panel.times)), 24)})
    # A whole day, so that days hold the same hours.
    one, other = (Census(of).fit(each) for each in (panel, shifted))
    np.testing.assert_allclose(np.roll(one.leaving, 24, axis=1), other.leaving)
    assert np.array_equal(one.predict(panel, (0.5,)), other.predict(shifted, (0.5,)))


def test_files_are_read_alike(tmp_path: Path) -> None:
    text = "place,begin,end\nw,2024-01-01T06:00+02:00,2024-01-02\nw,2024-01-01 05:00:00.5,\n"
    (tmp_path / "stays.csv").write_text(text)
    frame = pl.DataFrame(
        {
            "place": ["w", "w"],
            "begin": ["2024-01-01T04:00:00", "2024-01-01T05:00:00.5"],
            "end": ["2024-01-02T00:00:00", None],
        }
    ).with_columns(pl.col("begin", "end").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_zone="UTC"))
    frame.write_parquet(tmp_path / "stays.parquet")
    for name in ("stays.csv", "stays.parquet"):
        made = read_stays(tmp_path / name)
        assert made.place.tolist() == ["w", "w"]
        assert (made.begin - wards.START).tolist() == [4 * wards.HOUR, 5 * wards.HOUR + 500_000]
        assert made.end.tolist() == [wards.START + 24 * wards.HOUR, OPEN]
    model = partial(Census, tmp_path / "stays.csv")()
    assert (
        model.fit(wards.panel(model.stays, 10.0, 2)).predict(wards.panel(model.stays, 10.0, 2), (0.5,)).min()
        >= 1
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("w,2024-01-03,2024-01-02", "stays.csv, line 3: ends before it begins: 2024-01-02 before 2024-01-03"),
        ("w,yesterday,", "stays.csv, line 3: begin 'yesterday' is no date or time"),
        ("w,2024-01-01,32.1.", "stays.csv, line 3: end '32.1.' is no date or time"),
        ("w,,2024-01-01", "stays.csv, line 3: has no begin"),
        (",2024-01-01,", "stays.csv, line 3: has no place"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "stays.csv"
    path.write_text(f"place,begin,end\nw,2024-01-01,2024-01-01\n{row}\n")
    with pytest.raises(CareGridError, match="fix:") as refused:
        read_stays(path)
    assert message in str(refused.value)


def test_an_absent_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stays.csv"
    path.write_text("place,start,end\nw,2024-01-01,\n")
    with pytest.raises(CareGridError, match="has no column begin"):
        read_stays(path)


def test_a_file_that_is_absent_ragged_or_damaged_is_told_as_that(tmp_path: Path) -> None:
    text = "place,begin,end\nw,2024-01-01,\nw,2024-01-01\n"
    (tmp_path / "ragged.csv").write_text(text)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(text.encode())[:-4])
    (tmp_path / "text.parquet").write_text(text)
    for name, where, said in (
        ("none.parquet", str(tmp_path / "none.parquet"), "there is no such file"),
        ("none.csv", str(tmp_path / "none.csv"), "there is no such file"),
        ("ragged.csv", "ragged.csv, line 3", "has 2 cells, the header 3"),
        ("cut.csv.gz", "cut.csv.gz", "is damaged"),
        ("text.parquet", "text.parquet", "is not a table that can be read"),
    ):
        with pytest.raises(CareGridError, match=said) as refused:
            Census(tmp_path / name)
        assert refused.value.where == where
        assert refused.value.fix


def test_parquet_of_a_fixed_offset_is_read_and_of_an_unknown_zone_refused(tmp_path: Path) -> None:
    begin = [wards.START + 4 * wards.HOUR]
    for zone in ("+02:00", "Mars/North"):
        typed = pa.array(begin, type=pa.timestamp("us", zone))
        table = pa.table({"place": ["w"], "begin": typed, "end": pa.nulls(1)})
        pq.write_table(table, tmp_path / "stays.parquet")
        if zone == "+02:00":
            made = read_stays(tmp_path / "stays.parquet")
            assert (made.begin.tolist(), made.end.tolist()) == (begin, [OPEN])
        else:
            with pytest.raises(CareGridError, match="'Mars/North', which is unknown"):
                read_stays(tmp_path / "stays.parquet")


def test_times_that_are_numbers_are_refused_and_categories_read(tmp_path: Path) -> None:
    path = tmp_path / "stays.parquet"
    frame = pl.DataFrame({"place": ["w"], "begin": ["2024-01-01T04:00"], "end": [None]})
    frame.with_columns(pl.col("begin").cast(pl.Categorical)).write_parquet(path)
    assert read_stays(path).begin.tolist() == [wards.START + 4 * wards.HOUR]
    frame.with_columns(begin=20240101).write_parquet(path)
    with pytest.raises(CareGridError, match="no times") as refused:
        read_stays(path)
    assert refused.value.where == "stays.parquet, begin"
