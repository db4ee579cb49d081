"""The whole loop on a real PostgreSQL and a real MLflow store: train, judge, score, repeat, reproduce."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from caregrid.cli import main
from caregrid.errors import CareGridError

from ml import reproduce, scoring, training
from ml.backtest.command import main as back_test
from ml.tracking import registry
from ml.warehouse import data

AS_OF = datetime(2024, 7, 1, tzinfo=UTC)
CORE = """
create schema if not exists core;
create table core.dim_measure (measure text primary key, kind text, forecast boolean, additive_over text[]);
create table core.dim_place (place_id bigint primary key, place_level text, country_code text,
    region_key text, id_system text default 'wards', code text generated always as (place_id::text) stored);
create table core.dim_series (series_id bigint primary key, feed text, place_id bigint, service_or_resource
text,
    measure text, statistic text, unit text, grain text, dimensions jsonb, total_over text[], timezone text,
    week_ends_on smallint, subset_of text);
create table core.fct_usage (series_id bigint, period_start timestamptz, period_end timestamptz,
    known_at timestamptz, value double precision, value_status text, reporting_units integer, load_id bigint,
    is_current boolean);
grant usage on schema core to caregrid_model;
grant select on all tables in schema core to caregrid_model;
insert into core.dim_measure values ('occupied', 'stock', true, '{place}'),
    ('staffed_capacity', 'stock', false, '{place}'), ('arrivals', 'flow', true, '{place,time}');
"""

SERIES = """insert into core.dim_series
    values (%s, 'wards', %s, %s, %s, %s, %s, 'day', '{}', '{}', 'America/Toronto')"""


def _fill(connection: psycopg.Connection[Any]) -> None:
    """Write 14 wards with a weekly wave over 200 days, half known a day late, and one too short series."""
    draws = np.random.default_rng(7)
    first = datetime(2023, 12, 1, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(CORE)
        for ward in range(14):
            region = f"CA/x/{'north' if ward < 8 else 'south'}"
            cursor.execute("insert into core.dim_place values (%s, 'facility', 'CA', %s)", (ward, region))
            for series_id, measure in ((ward * 2 + 1, "occupied"), (ward * 2 + 2, "staffed_capacity")):
                cursor.execute(SERIES, (series_id, ward, "bed", measure, "snapshot", "beds"))
        cursor.execute(SERIES, (99, 0, "emergency_department", "arrivals", "count", "persons"))
        with cursor.copy("copy core.fct_usage from stdin") as stream:
            for ward in range(14):
                level = 30.0 + 5 * ward
                drift = np.zeros(200)
                for day in range(1, 200):
                    drift[day] = 0.85 * drift[day - 1] + draws.normal(0, 1.2)
                for day in range(200):
                    start = first + timedelta(days=day, hours=5)
                    end = start + timedelta(days=1)
                    value = level + drift[day] + 4 * np.sin(day * 2 * np.pi / 7) + draws.normal(0, 1)
                    known = end + timedelta(days=ward % 2)
                    row = (start, end, known, round(float(value)), "reported", None, 1 + day // 100, True)
                    stream.write_row((ward * 2 + 1, *row))
                    capacity = (start, end, known, round(level + 3), "reported", None, 1 + day // 100, True)
                    stream.write_row((ward * 2 + 2, *capacity))
            for day in range(5):
                start = first + timedelta(days=day, hours=5)
                stream.write_row((99, start, start + timedelta(days=1), AS_OF - timedelta(days=9), 3,
                "reported",
                                  None, 1, True))  # fmt: skip


@pytest.fixture(scope="module")
def filled(warehouse_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A warehouse whose core holds wards, and an MLflow store of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    with warehouse_module.connect("owner") as connection:
        _fill(connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", (folder / "artifacts").as_uri())
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("DO_NOT_TRACK", "true")
        yield warehouse_module


@pytest.fixture(scope="module")
def trained(filled: Any) -> training.TrainResult:
    """The first training run, which broke off once it was appended and was tried again."""

    def break_off(*_: Any) -> None:
        raise ConnectionError("MLflow is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "settle", break_off)
        with pytest.raises(ConnectionError):
            training.train("demo", AS_OF)
    return training.train("demo", AS_OF)


@pytest.fixture(scope="module")
def scored(trained: training.TrainResult) -> scoring.ScoreResult:
    """The first scoring run."""
    return scoring.score(AS_OF)


def _one(warehouse: Any, query: str, *parameters: Any) -> Any:
    with warehouse.connect("model") as connection:
        return connection.execute(query, parameters).fetchone()


@pytest.mark.integration
def test_first_model_is_promoted_and_says_why(filled: Any, trained: training.TrainResult) -> None:
    champion = registry.by_alias(registry.CHAMPION)
    assert trained.verdict is not None
    assert trained.verdict.answer == "promoted", trained.verdict.reason
    assert champion is not None
    assert champion.version == trained.version
    assert champion.serves == ("day",)
    for tag in (
        "verdict",
        "reason",
        "code_version",
        "lock_sha256",
        "load_ids",
        "known_at_cut",
        "data_sha256",
    ):
        assert champion.tags[tag]
    assert champion.tags["load_ids"] == "1-2"
    mlflow_client = registry.client()
    described = mlflow_client.get_model_version(registry.MODEL_NAME, champion.version).description
    assert described == f"promoted: {trained.verdict.reason}"
    experiment = mlflow_client.get_experiment_by_name(registry.EXPERIMENT)
    assert "docs/models.md" in experiment.tags["mlflow.note.content"]
    origins = _one(filled, "select min(origins), min(cells) from model_output.backtest where metric = 'mase'")
    assert origins[0] >= 5
    assert origins[1] > 200


@pytest.mark.integration
def test_a_training_that_broke_off_is_settled_by_its_retry(
    filled: Any, trained: training.TrainResult
) -> None:
    """The champion is the version that its run names, and no second one was registered."""
    assert [one.version for one in registry.versions()] == [trained.version]
    run = _one(filled, "select run_id, model_version from model_output.run where kind = 'train'")
    assert run == (trained.run_id, trained.version)
    assert len(trained.scores) > 20


@pytest.mark.integration
def test_forecasts_are_appended_once(filled: Any, scored: scoring.ScoreResult) -> None:
    before = _one(filled, "select count(*), count(distinct series_id) from model_output.forecast")
    again = scoring.score(AS_OF + timedelta(hours=3))
    assert scored.appended
    assert not again.appended
    assert again.run_id == scored.run_id
    assert _one(filled, "select count(*), count(distinct series_id) from model_output.forecast") == before
    assert before == (14 * 14 * 23, 14)


@pytest.mark.integration
def test_forecast_begins_after_the_last_known_day_in_local_time(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    first = _one(
        filled,
        """select min(period_start), min(period_end), bool_and(value >= 0)
           from model_output.forecast where horizon = 1""",
    )
    # 200 days from 2023-12-01, the last of them published a day late: the 18th of June has ended by then.
    # Toronto keeps summer time in June, so local midnight is 04:00 UTC.
    assert first == (datetime(2024, 6, 19, 4, tzinfo=UTC), datetime(2024, 6, 20, 4, tzinfo=UTC), True)


@pytest.mark.integration
def test_a_series_is_known_by_what_it_is_and_not_by_its_number(filled: Any) -> None:
    keys = data.Warehouse().series().sort("series_id")["key"]
    assert keys.n_unique() == len(keys) == 29
    assert keys[2] == "wards|facility|1|bed|occupied|snapshot|beds|day|{}|{}|America/Toronto"


@pytest.mark.integration
def test_short_series_is_left_out_with_its_reason(filled: Any, scored: scoring.ScoreResult) -> None:
    found = _one(
        filled,
        "select reason, detail from model_output.series_left_out where run_id = %s and series_id = 99",
        scored.run_id,
    )
    assert found == ("too_few_values", "5 observed of 14 days needed · 需要 14 期，只有 5 期有值")


@pytest.mark.integration
def test_risk_stands_for_every_pair_and_grows_with_the_horizon(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    assert _one(filled, "select count(distinct (place_id, capacity_series_id)) from model_output.risk") == (
        14,
    )
    falling = _one(
        filled,
        """select count(*) from model_output.risk a join model_output.risk b using (run_id, series_id)
           where a.horizon < b.horizon and a.probability > b.probability + 1e-12""",
    )
    assert falling == (0,)


@pytest.mark.integration
def test_score_and_train_runs_are_reproduced_to_the_last_digit(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    said = reproduce.reproduce(scored.run_id)
    assert said.differences == []
    # Quantiles of wards, two regions and the country; risks of four horizons; a path per ward and day.
    assert said.compared == 14 * 14 * 23 + 3 * 14 * 23 + 14 * 4 + 14 * 14
    run = _one(filled, "select run_id from model_output.run where kind = 'train'")[0]
    again = reproduce.reproduce(run)
    assert again.differences == []
    assert again.compared > 20


@pytest.mark.integration
def test_later_loads_do_not_change_a_reproduction(filled: Any, scored: scoring.ScoreResult) -> None:
    with filled.connect("owner") as connection:
        connection.execute(
            """insert into core.fct_usage select series_id, period_start, period_end, known_at, value + 50,
               value_status, reporting_units, 77, true from core.fct_usage where load_id = 2 and series_id
               < 99"""
        )
    try:
        assert reproduce.reproduce(scored.run_id).identical
    finally:
        with filled.connect("owner") as connection:
            connection.execute("delete from core.fct_usage where load_id = 77")


@pytest.mark.integration
def test_training_stops_while_the_champion_is_young_and_nothing_grew(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    young = training.train("demo", AS_OF + timedelta(days=1))
    assert young.run_id is None
    assert "stands" in young.message
    with filled.connect("model") as connection:
        from ml import due

        champion = registry.by_alias(registry.CHAMPION)
        assert champion is not None
        assert "days old" in str(due.why(connection, champion, AS_OF + timedelta(days=9)))


@pytest.mark.integration
def test_the_registered_model_forecasts_a_plain_frame(trained: training.TrainResult) -> None:
    import mlflow.pyfunc
    import pandas as pd

    registry.client()
    model = mlflow.pyfunc.load_model(f"models:/{registry.MODEL_NAME}@champion")
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    frame = pd.DataFrame({"unique_id": "ward", "ds": days, "y": [50.0 + day % 7 for day in range(60)]})
    said = model.predict(frame)
    assert list(said.columns) == ["unique_id", "ds", "horizon", "quantile", "value"]
    assert len(said) == 14 * 23
    assert said["ds"].min() == pd.Timestamp("2024-03-01")
    with pytest.raises(Exception, match="week"):
        model.predict(frame.assign(grain="week"))


@pytest.mark.integration
def test_the_series_of_a_feed_become_a_table_that_a_back_test_takes(
    filled: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the warehouse through the file to scores beside ours: what a model of one's own is tried on."""
    path = tmp_path / "wards.parquet"
    line = ["forecast", "table", "--feed", "wards", "--grain", "day", "--as-of", AS_OF.isoformat()]
    assert main([*line, "--out", str(path)]) == 0
    told = capsys.readouterr().out
    assert f"wrote {path}: 15 series, 2805 values" in told
    words = told.strip().splitlines()[-1].split("python -m ml.backtest ")[1].split()
    words[words.index("--models") + 1] = "last_value,seasonal_naive"
    words[words.index("--out") + 1] = str(tmp_path / "out")
    assert back_test(words) == 0
    assert (tmp_path / "out" / "decisions.csv").is_file()
    assert main([*line[:3], "nobody", *line[4:], "--out", str(path)]) != 0
    assert "wards (day)" in capsys.readouterr().err


def _other(name: str, cutoffs: int, **changes: Any) -> Any:
    """Return the demo's settings of days with another recipe, tested over so many cutoffs."""
    day = training.NAMED["demo"].grains["day"]
    configuration = replace(day.configuration, **changes)
    grains = {"day": replace(day, cutoffs=cutoffs, refit_every=cutoffs, configuration=configuration)}
    return replace(training.NAMED["demo"], name=name, grains=grains)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("cutoffs", "changes", "answer"),
    [
        (6, {"rounds": 60}, "not enough evidence"),
        # Changes are counted from a level of a quarter, and next to nothing is learned.
        (32, {"rounds": 1, "anchor": 5, "ridge": (1e6,)}, "refused"),
    ],
)
def test_a_worse_recipe_is_not_promoted_and_the_champion_stays(
    filled: Any, trained: training.TrainResult, monkeypatch: pytest.MonkeyPatch, cutoffs: int,
    changes: dict[str, float], answer: str,
) -> None:  # fmt: skip
    hasty = _other(f"hasty {cutoffs}", cutoffs, **changes)
    monkeypatch.setitem(training.NAMED, "hasty", hasty)
    assert training.train("hasty", AS_OF).run_id is None
    result = training.train("hasty", AS_OF, other_recipe_is_due=True)
    assert result.verdict is not None
    assert result.verdict.answer == answer, result.verdict.reason
    champion, challenger = registry.by_alias(registry.CHAMPION), registry.by_alias(registry.CHALLENGER)
    assert champion is not None
    assert challenger is not None
    assert (champion.version, challenger.version) == (trained.version, result.version)
    assert challenger.tags["verdict"] == answer
    with filled.connect("model") as connection:
        moves = registry.history(connection)
    assert [one.to_version for one in moves if one.alias == registry.CHAMPION] == [trained.version]
    assert moves[-1].to_version == result.version
    assert moves[-1].gate


@pytest.mark.integration
def test_a_version_that_is_led_back_forecasts_anew_on_the_same_data(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    newer = training.train("demo", AS_OF + timedelta(hours=4), force=True)
    assert newer.verdict is not None
    assert newer.verdict.answer == "promoted", newer.verdict.reason
    assert scoring.score(AS_OF + timedelta(hours=5)).version == newer.version
    with filled.connect("model") as connection:
        assert registry.rollback(connection, "ana", "too low") == (newer.version, scored.version)
    again = scoring.score(AS_OF + timedelta(hours=6))
    assert again.appended
    assert again.run_id != scored.run_id
    newest = "select model_version from model_output.run where kind = 'score' order by made_at desc limit 1"
    assert _one(filled, newest) == (scored.version,)
    assert not scoring.score(AS_OF + timedelta(hours=7)).appended
    # The very same training, tried again: its run was appended with the gate's word before the veto.
    again_trained = training.train("demo", AS_OF + timedelta(hours=8), force=True)
    assert (again_trained.run_id, again_trained.version) == (newer.run_id, newer.version)
    _is_vetoed(again_trained, scored.version, newer.version)
    # MLflow says so as well, at the version and at its run.
    version = registry.by_version(newer.version)
    run = registry.client().get_run(version.run_id)
    assert again_trained.verdict is not None
    assert version.tags["reason"] == run.data.tags["reason"] == again_trained.verdict.reason
    assert (version.tags["verdict"], run.data.tags["verdict"]) == ("refused", "refused")


@pytest.mark.integration
def test_a_vetoed_recipe_is_no_champion_by_itself_until_a_person_lets_it_serve(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    with filled.connect("owner") as connection:
        connection.execute(
            """insert into core.fct_usage select series_id, period_start + interval '1 day',
               period_end + interval '1 day', known_at + interval '1 day', value, value_status,
               reporting_units, 3, true from core.fct_usage
               where period_start = (select max(period_start) from core.fct_usage)"""
        )
    vetoed = next(one for one in registry.versions() if one.version != scored.version)
    refresh = training.train("demo", AS_OF + timedelta(days=8))
    _is_vetoed(refresh, scored.version, "")
    assert registry.versions()[0].tags["verdict"] == "refused"
    with filled.connect("model") as connection:
        before = registry.by_alias(registry.CHAMPION)
        assert refresh.version is not None
        assert before is not None
        registry.rollback(connection, "ben", "it was the feed, which is mended", refresh.version)
    assert int(refresh.version) > int(vetoed.version) > int(before.version)
    lifted = training.train("demo", AS_OF + timedelta(days=16))
    assert lifted.verdict is not None
    assert lifted.verdict.answer == "promoted", lifted.verdict.reason
    champion = registry.by_alias(registry.CHAMPION)
    assert champion is not None
    assert champion.version == lifted.version


@pytest.mark.integration
def test_a_vetoed_recipe_is_not_trained_for_its_settings_alone(
    filled: Any, trained: training.TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of every load names them: without a look at the veto each would train to be refused."""
    taken = registry.by_alias(registry.CHAMPION)
    assert taken is not None
    older = next(one for one in registry.versions() if int(one.version) < int(taken.version))
    before = len(registry.versions())
    with filled.connect("model") as connection:
        registry.rollback(connection, "ana", "too high", older.version)
    # As if the one that serves instead had been made by a recipe of its own.
    client, own = registry.client(), _other("own", 6, rounds=60)
    client.set_model_version_tag(registry.MODEL_NAME, older.version, "settings", own.as_json())
    unread = lambda *_: pytest.fail("values were read")  # noqa: E731
    try:
        with monkeypatch.context() as patch:
            patch.setattr(training, "read", unread)
            result = training.train("demo", taken.as_of + timedelta(hours=1), other_recipe_is_due=True)
    finally:
        client.set_model_version_tag(registry.MODEL_NAME, older.version, "settings", older.tags["settings"])
        with filled.connect("model") as connection:
            registry.rollback(connection, "ana", "it was not", taken.version)
    assert (result.run_id, result.version) == (None, older.version)
    assert f"the settings demo are vetoed: ana took version {taken.version}, of" in result.message
    assert "(too high)" in result.message
    assert len(registry.versions()) == before


def _damage(version: str) -> None:
    """Cut one file of a version's models short, as a full disk does."""
    from mlflow.artifacts import download_artifacts

    uri = registry.client().get_model_version_download_uri(registry.MODEL_NAME, version)
    file = next(Path(download_artifacts(uri)).rglob("model.json"))
    file.write_text(file.read_text()[:-20])


@pytest.mark.integration
def test_a_champion_that_cannot_be_loaded_is_trained_anew_unasked(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    broken = registry.by_alias(registry.CHAMPION)
    assert broken is not None
    _damage(broken.version)
    said: list[str] = []
    with pytest.raises(CareGridError, match="cannot be read"):
        scoring.score(broken.as_of + timedelta(hours=1))
    mended = training.train("demo", broken.as_of + timedelta(hours=1), progress=said.append)
    assert said[0].startswith(f"due: the champion, version {broken.version}, cannot be loaded: ")
    assert mended.verdict is not None
    assert mended.verdict.answer == "promoted", mended.verdict.reason
    assert scoring.score(broken.as_of + timedelta(hours=2)).version == mended.version


@pytest.mark.integration
def test_a_champion_of_another_release_is_trained_anew_and_not_compared(
    filled: Any, scored: scoring.ScoreResult
) -> None:
    old = registry.by_alias(registry.CHAMPION)
    assert old is not None
    registry.client().set_model_version_tag(
        registry.MODEL_NAME, old.version, "settings", '{"name": "of another release"}'
    )
    said: list[str] = []
    result = training.train("demo", old.as_of + timedelta(hours=1), progress=said.append)
    assert "made by another release" in said[0]
    assert result.verdict is not None
    assert result.verdict.answer == "promoted", result.verdict.reason
    assert "no comparison with the champion" in result.verdict.reason
    assert "first model" not in result.verdict.reason


def _is_vetoed(result: training.TrainResult, champion: str, vetoed: str) -> None:
    assert result.verdict is not None
    assert result.verdict.answer == "refused"
    assert f"vetoed: ana took version {vetoed}" in result.verdict.reason
    assert "(too low)" in result.verdict.reason
    assert "refused: vetoed" in result.message
    serves = registry.by_alias(registry.CHAMPION)
    assert serves is not None
    assert serves.version == champion


@pytest.mark.integration
def test_an_empty_warehouse_trains_nothing_and_says_so(
    warehouse: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.connect("owner") as connection:
        connection.execute(CORE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", (tmp_path / "artifacts").as_uri())
    result = training.train("demo", AS_OF)
    assert result.verdict is not None
    assert result.verdict.answer == "not enough evidence"
    with pytest.raises(LookupError, match="no champion"):
        scoring.score(AS_OF)
