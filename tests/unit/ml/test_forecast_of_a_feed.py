"""One feed and grain: sorted quantiles, joint paths, sums of places, withdrawal, who is left out and why."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml.paths import quantiles_of_paths
from ml.recipe import FittedCareGrid
from ml.recipe.model import NO_VALUE
from ml.warehouse import forecasting
from ml.warehouse.data import Frames
from ml.warehouse.eligibility import LeftOut, left_out
from ml.warehouse.output import Said
from ml.warehouse.rows import add
from ml.warehouse.settings import DEMO, WHOLE, Settings
from tests.unit.ml.frames import FIRST, frame, spines, wave

pytestmark = pytest.mark.unit
SMALL = replace(
    DEMO,
    grains={
        grain: replace(one, configuration=replace(one.configuration, rows=3000, rounds=30))
        for grain, one in DEMO.grains.items()
    },
)
MIDDLE = SMALL.quantiles.index(0.5)
Made = tuple[Frames, FittedCareGrid, forecasting.GridForecast]


def forecast(data: Frames) -> tuple[FittedCareGrid, forecasting.GridForecast]:
    grid = spines(data, SMALL)[0].as_known(None)
    fitted = forecasting.learn(grid, SMALL)
    assert fitted is not None
    made = forecasting.forecast_grid(fitted, grid, SMALL)
    assert made is not None
    return fitted, made


@pytest.fixture(scope="module")
def wards() -> Made:
    """Twelve wards of two regions, the last of them empty for long."""
    columns = {number: wave(220, 40.0 + 10 * number, seed=number) for number in range(1, 12)}
    columns[12] = np.zeros(220)
    data = frame(
        columns, place_id=list(range(12)), region_key=["DE/x/N"] * 6 + ["DE/x/S"] * 6, country_code="DE"
    )
    return data, *forecast(data)


def test_quantiles_are_sorted_and_never_negative(wards: Made) -> None:
    _, _, made = wards
    assert made.quantiles.shape == (12, 14, 23)
    assert (np.diff(made.quantiles, axis=2) >= 0).all()
    assert (made.quantiles >= 0).all()
    assert np.isfinite(made.quantiles).all()
    empty = made.grid.spine.names.index("12")
    assert made.quantiles[made.rows.tolist().index(empty)].max() < 2


def test_the_same_data_give_the_same_numbers(wards: Made) -> None:
    data, _, made = wards
    _, again = forecast(data)
    assert np.array_equal(again.quantiles, made.quantiles)
    assert np.array_equal(again.paths, made.paths)


def test_paths_have_the_marginals_that_are_forecast(wards: Made) -> None:
    _, _, made = wards
    assert made.paths.shape == (200, 12, 14)
    middle = np.median(made.paths, axis=0)
    assert np.abs(middle - made.quantiles[:, :, MIDDLE]).max() < 1


def test_regions_and_country_are_the_sums_of_their_places_path_by_path(wards: Made) -> None:
    _, _, made = wards
    totals = {(one.level, one.area): one for one in made.totals}
    assert set(totals) == {("region", "DE/x/N"), ("region", "DE/x/S"), ("country", "DE")}
    assert sorted(totals["country", "DE"].members) == list(range(1, 13))
    of = {name: at for at, name in enumerate(made.grid.spine.names)}
    north = [made.rows.tolist().index(of[str(number)]) for number in range(1, 7)]
    sums = made.paths[:, north].sum(axis=1, dtype=float)
    assert np.allclose(totals["region", "DE/x/N"].quantiles, quantiles_of_paths(sums, SMALL.quantiles))
    whole = quantiles_of_paths(made.paths.sum(axis=1, dtype=float), SMALL.quantiles)
    assert np.allclose(totals["country", "DE"].quantiles, whole)
    # Their spread is that of sums, not the sum of spreads.
    apart = sum(made.quantiles[:, :, -1] - made.quantiles[:, :, 0])
    assert (whole[:, -1] - whole[:, 0] < apart).all()


def told(
    extra: np.ndarray, regions: bool = False, middle: float = 40.0
) -> tuple[forecasting.GridForecast, dict[int, int]]:
    """Return the forecast of three wards, or regions, and of their country as told, and {series: its row}.

    Args:
        extra: what the country's total holds beside the three; middle: patients of each of them.
    """
    columns = {number: np.round(wave(120, middle, seed=number)) for number in range(1, 4)}
    columns[9] = columns[1] + columns[2] + columns[3] + extra
    keys = [f"DE/x/{number}" if regions else "DE/x/N" for number in range(3)]
    data = frame(
        columns,
        place_id=[1, 2, 3, 9],
        place_level=["region" if regions else "facility"] * 3 + ["country"],
        country_code="DE",
        region_key=[*keys, None],
        area_level=["region" if regions else None] * 3 + ["country"],
        area_key=[*(keys if regions else [None] * 3), "DE"],
        # A feed says that its total is summed over places.
        total_over=["{place}" if regions else "{}"] * 3 + ["{place}"],
    )
    _, made = forecast(data)
    return made, {int(made.grid.spine.names[row]): at for at, row in enumerate(made.rows.tolist())}


def test_what_the_feed_tells_itself_is_not_summed_again() -> None:
    made, _ = told(np.zeros(120))
    assert [(one.level, one.members) for one in made.totals] == [("region", (1, 2, 3))]


@pytest.mark.parametrize("regions", [False, True])
def test_a_total_that_was_the_sum_of_its_parts_is_forecast_as_their_sum(regions: bool) -> None:
    off = np.zeros(120)
    off[[60, 110]] = 30, 12  # a late report parts them for once
    made, at = told(off, regions)
    sums = made.paths[:, [at[1], at[2], at[3]]].sum(axis=1, dtype=float)
    assert np.allclose(made.paths[:, at[9]], sums)
    assert np.allclose(made.quantiles[at[9]], quantiles_of_paths(sums, SMALL.quantiles))
    assert made.remarks[int(made.rows[at[9]])].startswith(
        "the sum of the forecasts of its 3 parts, as its values were · "
    )


def test_a_total_that_holds_more_than_its_places_is_forecast_by_itself_and_says_so() -> None:
    made, at = told(np.full(120, 80.0))
    sums = made.paths[:, [at[1], at[2], at[3]]].sum(axis=1, dtype=float)
    assert np.median(made.paths[:, at[9]] - sums) > 60
    assert "the sum of its 3 parts was not what was told" in made.remarks[int(made.rows[at[9]])]


def test_a_total_of_which_a_place_has_no_forecast_is_forecast_by_itself_and_says_so() -> None:
    columns = {number: wave(120, 40.0, seed=number) for number in range(1, 4)}
    columns[9] = columns[1] + columns[2] + columns[3]
    columns[3] = np.where(np.arange(120) < 112, np.nan, columns[3])
    data = frame(
        columns, place_id=[1, 2, 3, 9], place_level=["facility"] * 3 + ["country"], country_code="DE",
        area_level=[None] * 3 + ["country"], area_key=[None] * 3 + ["DE"],
        total_over=["{}"] * 3 + ["{place}"],
    )  # fmt: skip
    _, made = forecast(data)
    names = {int(made.grid.spine.names[row]): int(row) for row in made.rows}
    assert sorted(names) == [1, 2, 9]
    assert made.remarks[names[9]].startswith("forecast by itself: 1 of its 3 parts have no forecast · ")


def test_a_small_place_that_nobody_tells_does_not_hide_in_what_rounding_allows() -> None:
    rare = np.zeros(120)
    rare[::2] = 1.0  # half a patient a day, never more than one apart
    made, at = told(rare, middle=2.0)
    assert "was not what was told" in made.remarks[int(made.rows[at[9]])]


def test_a_total_that_follows_its_parts_is_not_withdrawn_by_a_forecast_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = forecasting.misses

    def missing_the_total(fitted: Any, grid: Any, rows: Any, *rest: Any) -> Any:
        found = alone(fitted, grid, rows, *rest)
        return np.where([grid.spine.names[row] == "9" for row in rows], 1, found)

    monkeypatch.setattr(forecasting, "misses", missing_the_total)
    made, at = told(np.zeros(120))
    assert 9 in at
    assert made.withdrawn == {}
    # One that does not follow them is.
    made, at = told(np.full(120, 80.0))
    assert 9 not in at
    assert len(made.withdrawn) == 1


def test_a_place_that_is_told_twice_counts_once() -> None:
    columns = {number: wave(120, 40.0, seed=number) for number in (1, 2)}
    columns[3] = columns[1]
    made = forecast(frame(columns, place_id=[1, 2, 1], country_code="DE", place_level="facility"))[1]
    assert [one.members for one in made.totals] == [(1, 2)]


def test_two_series_of_one_place_make_no_area() -> None:
    columns = {number: wave(120, 40.0, seed=number) for number in range(1, 3)}
    series = {"country_code": "DE", "place_level": "facility"}
    assert forecast(frame(columns, place_id=[1, 1], **series))[1].totals == []
    assert [one.members for one in forecast(frame(columns, place_id=[1, 2], **series))[1].totals] == [(1, 2)]


def test_rows_tell_periods_by_the_clock_of_the_place(wards: Made) -> None:
    data = wards[0]
    local = Frames(
        data.series().with_columns(timezone=pl.lit("America/Toronto")),
        data._values.with_columns(pl.col("period_start", "period_end", "known_at") + timedelta(hours=5)),
    )
    _, made = forecast(local)
    said = Said()
    add(said, made, SMALL)
    assert len(said.forecasts) == 12 * 14 * 23
    assert len(said.paths) == 12 * 14
    assert len(said.areas) == 3
    assert len(said.area_forecasts) == 3 * 14 * 23
    # 220 days from 1 January: 8 August, when Toronto keeps summer time.
    first = min(row[1] for row in said.forecasts)
    assert (first.month, first.day, first.hour) == (8, 8, 4)


def test_a_series_that_misses_twice_on_one_side_is_withdrawn_before_a_third() -> None:
    columns = {number: wave(220, 80.0, seed=number, noise=3.0) for number in range(1, 31)}
    data = frame(columns)
    fitted, _ = forecast(data)
    columns = {number: values.copy() for number, values in columns.items()}
    columns[3][-1] += 90
    columns[4][-2:] += (90, 250)
    columns[5][-2:] += (90, -60)
    grid = spines(frame(columns), SMALL)[0].as_known(None)
    made = forecasting.forecast_grid(fitted, grid, SMALL)
    assert made is not None
    names = grid.spine.names
    withdrawn = {names[row] for row in made.withdrawn}
    assert "4" in withdrawn
    assert not withdrawn & {"3", "5"}
    assert len(withdrawn) <= 2
    assert "lay above the 95 % interval" in made.withdrawn[names.index("4")]
    assert not withdrawn & {names[row] for row in made.rows}
    assert len(made.quantiles) == len(made.paths[0]) == 30 - len(withdrawn)


def test_a_series_is_judged_by_its_own_last_values_though_its_feed_is_further() -> None:
    columns = {number: wave(220, 80.0, seed=number, noise=3.0) for number in range(1, 31)}
    fitted, _ = forecast(frame(columns))
    columns = {number: values.copy() for number, values in columns.items()}
    # A day behind the feed.
    columns[6][-3:] = (columns[6][-3] + 90, columns[6][-2] + 250, np.nan)
    grid = spines(frame(columns), SMALL)[0].as_known(None)
    made = forecasting.forecast_grid(fitted, grid, SMALL)
    assert made is not None
    assert "6" in {grid.spine.names[row] for row in made.withdrawn}


def test_first_reports_that_are_always_too_low_are_no_misses() -> None:
    """A week is told at 80 % and whole ten days later: what is expected is the whole."""
    weeks, parts = 150, []
    starts = [FIRST + timedelta(weeks=week) for week in range(weeks)]
    ends = [start + timedelta(weeks=1) for start in starts]
    for number in range(1, 21):
        truth = wave(weeks, 400.0, season=52, seed=number, noise=8.0)
        for after, share in ((timedelta(days=3), 0.8), (timedelta(days=13), 1.0)):
            parts.append(pl.DataFrame({
                "series_id": [number] * weeks, "period_start": starts, "period_end": ends,
                "known_at": [end + after for end in ends], "value": np.round(truth * share),
            }))  # fmt: skip
    data = Frames(pl.DataFrame({"series_id": range(1, 21), "grain": ["week"] * 20}), pl.concat(parts))
    cut = int((ends[-1] + timedelta(days=4)).timestamp()) * 1_000_000
    grid = spines(data, SMALL)[0].as_known(cut)
    fitted = forecasting.learn(grid, SMALL)
    assert fitted is not None
    made = forecasting.forecast_grid(fitted, grid, SMALL)
    assert made is not None
    assert len(made.withdrawn) <= 1


def test_few_are_withdrawn_while_nothing_happens() -> None:
    """Two misses in a row on one side are rare when intervals hold: fewer than one series in fifty."""
    columns = {number: wave(160, 60.0, seed=number, noise=4.0) for number in range(1, 41)}
    fitted, _ = forecast(frame(columns))
    count = 0
    for back in range(10):
        known = {number: values[: 160 - back] for number, values in columns.items()}
        made = forecasting.forecast_grid(fitted, spines(frame(known), SMALL)[0].as_known(None), SMALL)
        assert made is not None
        count += len(made.withdrawn)
    assert count < 0.02 * 400


def test_a_panel_that_shrinks_is_no_fall_in_demand() -> None:
    """100 hospitals at about 75 beds each, of which 60 report from week 130 on."""
    weeks = 150
    units = np.where(np.arange(weeks) < 130, 100, 60)
    draws = np.random.default_rng(5)
    starts = [FIRST + timedelta(weeks=number) for number in range(weeks)]
    parts = []
    for number in range(1, 9):
        per_unit = 70.0 + 2 * number + draws.normal(0, 0.5, weeks)
        parts.append(pl.DataFrame({
            "series_id": [number] * weeks, "period_start": starts, "value": np.round(per_unit * units),
            "period_end": [start + timedelta(weeks=1) for start in starts], "reporting_units": units,
        }))  # fmt: skip
    data = Frames(pl.DataFrame({"series_id": range(1, 9), "grain": ["week"] * 8}), pl.concat(parts))
    _, made = forecast(data)
    assert made.grid.spine.is_panel.all()
    middle = made.quantiles[:, :, MIDDLE] / 60
    # Per hospital it stays what it was; raw counts would have fallen by 40 % and be forecast to rise again.
    assert np.abs(middle - (70.0 + 2 * np.arange(1, 9))[:, None]).max() < 3


def test_every_series_left_out_has_its_reason() -> None:
    columns = {1: wave(60), 2: wave(13), 3: wave(20), 4: wave(60), 5: wave(60), 6: wave(60) * float("nan")}
    data = frame(
        columns,
        statistic=["snapshot", "snapshot", "snapshot", "cumulative", "snapshot", "snapshot"],
        is_forecast=[True, True, True, True, False, True],
    )
    quarter = frame({7: wave(3)}).series().with_columns(grain=pl.lit("quarter"))
    series = pl.concat([data.series(), quarter])
    found = left_out(series, [one.as_known(None) for one in spines(data)], DEMO)
    assert found == [
        LeftOut(2, "too_few_values", "13 observed of 14 days needed · 需要 14 期，只有 13 期有值"),
        LeftOut(
            3, "ended", "last value 40 days before the feed's newest · 最后一个值比该数据源最新值早 40 期"
        ),
        LeftOut(
            4,
            "cumulative",
            "a running total has no seasons; its differences would · 累计数没有周期，其差值才有",
        ),
        LeftOut(6, "no_value", NO_VALUE),
        LeftOut(
            7,
            "grain_not_forecast",
            "values per quarter are too few for a season · 该时段类型的值太少，看不出周期",
        ),
    ]


def test_settings_survive_json_and_refuse_nonsense() -> None:
    for settings in (DEMO, WHOLE):
        assert Settings.from_json(settings.as_json()) == settings
        assert len(settings.fingerprint()) == 12
    assert len(WHOLE.quantiles) == 23
    assert replace(DEMO, seed=1).fingerprint() != DEMO.fingerprint()
    with pytest.raises(ValueError, match="ascend"):
        replace(DEMO, quantiles=(0.5, 0.1))


def test_settings_registered_before_penalties_were_chosen_still_learn() -> None:
    old = json.loads(SMALL.as_json())
    for grain in old["grains"].values():
        grain["configuration"]["ridge"] = 30.0
    settings = Settings.from_json(json.dumps(old))
    data = frame({number: wave(120, 40.0, seed=number) for number in range(1, 4)})
    assert forecasting.learn(spines(data, settings)[0].as_known(None), settings) is not None


def test_what_is_drawn_and_learned_does_not_depend_on_the_numbers_that_series_were_given() -> None:
    """The same wards, in the same words, numbered as if their files had come the other way round."""
    few = replace(SMALL, trained_per_feed=7)
    values = [wave(220, 40.0 + 10 * number, seed=number) for number in range(12)]
    keys = [f"ward|{number:02d}" for number in range(12)]
    told, drawn = [], []
    for order in (list(range(12)), [5, 11, 0, 3, 9, 1, 8, 2, 10, 4, 7, 6]):
        data = frame(
            {95 + at: values[number] for at, number in enumerate(order)}, key=[keys[n] for n in order]
        )
        grid = spines(data, few)[0].as_known(None)
        assert grid.spine.series["key"].to_list() == keys
        fitted = forecasting.learn(grid, few)
        assert fitted is not None
        made = forecasting.forecast_grid(fitted, grid, few)
        assert made is not None
        told.append((made.quantiles, made.paths))
        number_of = dict(zip(grid.spine.names, keys, strict=True))
        drawn.append([number_of[name] for name in fitted.ids])
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 7
    assert np.array_equal(told[0][0], told[1][0])
    assert np.array_equal(told[0][1], told[1][1])
