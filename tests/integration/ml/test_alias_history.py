"""Aliases and their history: told before they move, once each, and led back by a person."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid import cli
from caregrid.errors import CareGridError
from psycopg.types.json import Jsonb

from ml.gate.promotion import PROMOTED, REFUSED, Verdict
from ml.tracking import registry
from ml.tracking.registry import CHALLENGER, CHAMPION, Registered
from ml.warehouse.settings import DEMO, MODEL_NAME

pytestmark = pytest.mark.integration
GATE = [{"grain": "day", "check": "coverage of 80 %", "value": 0.81, "passed": True}]


@pytest.fixture
def connection(warehouse: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection as training and scoring have it."""
    with warehouse.connect("model") as opened:
        yield opened


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store that knows the model and no version: making one takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        registry.client().create_registered_model(MODEL_NAME)
    return file


@pytest.fixture
def make(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Registered]:
    """Registers one more version in an MLflow store of its own."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    client = registry.client()

    def made(serves: str = "day", settings: str = DEMO.as_json(), verdict: str = PROMOTED) -> Registered:
        tags = {"serves": serves, "settings": settings, "verdict": verdict, "reason": "measured",
                "as_of": "2024-07-01T00:00:00+00:00", "code_version": "abc+def"}  # fmt: skip
        source = tmp_path / "artifacts"
        source.mkdir(exist_ok=True)
        version = client.create_model_version(MODEL_NAME, source.as_uri(), tags=tags)
        return Registered(str(version.version), "", tags)

    return made


def settled(connection: Any, version: Registered, answer: str = PROMOTED) -> None:
    """Move the aliases as a training does."""
    verdict = Verdict(answer, "it is measured", ("day",), GATE)
    registry.settle(connection, version, verdict, f"train-{version.version}")


def champion() -> str | None:
    """Return the version that serves."""
    found = registry.by_alias(CHAMPION)
    return None if found is None else found.version


def moves(connection: Any, alias: str = CHAMPION) -> list[tuple[str | None, str]]:
    """Return (from, to) of the alias in order."""
    return [(one.from_version, one.to_version) for one in registry.history(connection) if one.alias == alias]


def test_a_promoted_version_gets_both_aliases_and_a_refused_one_the_challengers(
    connection: Any, make: Callable[..., Registered]
) -> None:
    settled(connection, make())
    settled(connection, make(), REFUSED)
    assert champion() == "1"
    challenger = registry.by_alias(CHALLENGER)
    assert challenger is not None
    assert challenger.version == "2"
    assert moves(connection) == [(None, "1")]
    assert moves(connection, CHALLENGER) == [(None, "1"), ("1", "2")]
    first = registry.history(connection)[1]
    assert (first.who, first.why) == (registry.GATE, "promoted: it is measured")
    assert first.gate == GATE
    assert first.run_id == "train-1"


def test_a_training_that_is_tried_again_moves_nothing_twice(
    connection: Any, make: Callable[..., Registered]
) -> None:
    version = make()
    settled(connection, version)
    settled(connection, version)
    assert len(registry.history(connection)) == 2


def test_a_crash_before_the_alias_moved_is_made_good_by_the_next_try(
    connection: Any, make: Callable[..., Registered], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make(), make()
    settled(connection, first)
    name = registry._name

    def crash(alias: str, version: str) -> None:
        if alias == CHAMPION:
            raise ConnectionError("MLflow is away")
        name(alias, version)

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_name", crash)
        with pytest.raises(ConnectionError):
            settled(connection, second)
    # Told, not moved: what serves is what MLflow says.
    assert champion() == "1"
    assert moves(connection) == [(None, "1"), ("1", "2")]
    assert registry.champions(registry.history(connection), champion()) == ["1"]
    settled(connection, second)
    assert champion() == "2"
    assert moves(connection) == [(None, "1"), ("1", "2")]


def test_another_hand_that_carries_out_a_move_is_named_too(
    connection: Any, make: Callable[..., Registered], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(connection, make())
    make()

    def crash(alias: str, version: str) -> None:
        raise ConnectionError("MLflow is away")

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_name", crash)
        with pytest.raises(ConnectionError):
            registry.rollback(connection, "ana", "the newer is better", "2")
    assert registry.rollback(connection, "ben", "the newer is better", "2") == ("1", "2")
    assert [one.who for one in registry.history(connection)][-2:] == ["ana", "ben"]
    assert registry.champions(registry.history(connection), champion()) == ["1", "2"]
    assert registry.rollback(connection, "ben", "it is not") == ("2", "1")


def test_rollbacks_go_back_one_champion_each_and_end_in_words(
    connection: Any, make: Callable[..., Registered]
) -> None:
    for _ in range(3):
        settled(connection, make())
    assert registry.rollback(connection, "ana", "too low in ward 3") == ("3", "2")
    # Not back to the one that was taken off.
    assert registry.rollback(connection, "ana", "this one as well") == ("2", "1")
    assert champion() == "1"
    with pytest.raises(CareGridError, match="no champion stood before version 1"):
        registry.rollback(connection, "ana", "and this one")
    settled(connection, make())
    assert registry.rollback(connection, "ben", "no better") == ("4", "1")
    last = registry.history(connection)[-1]
    assert (last.who, last.why, last.alias, last.gate) == ("ben", "no better", CHAMPION, None)


def test_a_person_may_name_the_version_and_is_told_why_it_cannot_serve(
    connection: Any, make: Callable[..., Registered]
) -> None:
    with pytest.raises(CareGridError, match="there is no champion") as none:
        registry.rollback(connection, "ana", "hm")
    assert "--to" in str(none.value.fix)
    for _ in range(3):
        settled(connection, make())
    make(serves="")
    make(settings='{"name": "of another release"}')
    for to, said in (
        ("3", "is the champion already"),
        ("9", "there is no version 9"),
        ("4", "may serve no grain"),
        ("5", "made by another release"),
    ):
        with pytest.raises(CareGridError, match=said):
            registry.rollback(connection, "ana", "hm", to)
    with pytest.raises(CareGridError, match="needs a reason"):
        registry.rollback(connection, "ana", " ")
    assert registry.rollback(connection, "ana", "the first was best", "1") == ("3", "1")
    assert registry.rollback(connection, "ana", "it was not", "3") == ("1", "3")
    assert registry.champions(registry.history(connection), champion()) == ["1", "3"]


def test_one_run_asks_once_however_often_it_is_tried(
    connection: Any, make: Callable[..., Registered], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        settled(connection, make())

    def crash(alias: str, version: str) -> None:
        raise ConnectionError("MLflow is away")

    with monkeypatch.context() as patch:
        patch.setattr(registry, "_name", crash)
        with pytest.raises(ConnectionError):
            registry.rollback(connection, "ana", "too low", run_id="manual__1")
    assert champion() == "3"
    for _ in range(2):
        assert registry.rollback(connection, "ana", "too low", run_id="manual__1") == ("3", "2")
        assert champion() == "2"
    assert moves(connection)[-1] == ("3", "2")
    assert len(moves(connection)) == 4


def test_rollbacks_at_the_same_time_wait_for_each_other(
    warehouse: Any, connection: Any, make: Callable[..., Registered]
) -> None:
    for _ in range(4):
        settled(connection, make())

    def once(person: str) -> tuple[str, str]:
        with warehouse.connect("model") as own:
            return registry.rollback(own, person, "too low")

    with ThreadPoolExecutor(2) as pool:
        done = sorted(pool.map(once, ("ana", "ben")))
    assert done == [("3", "2"), ("4", "3")]
    assert moves(connection)[-2:] == [("4", "3"), ("3", "2")]


def test_a_move_by_hand_in_mlflow_is_seen_and_a_tenure_is_new_each_time(
    connection: Any, make: Callable[..., Registered]
) -> None:
    assert registry.tenure(connection) == 0
    for _ in range(3):
        settled(connection, make())
    before = registry.tenure(connection)
    registry.client().set_registered_model_alias(MODEL_NAME, CHAMPION, "1")
    assert registry.champions(registry.history(connection), champion()) == ["1"]
    registry.client().set_registered_model_alias(MODEL_NAME, CHAMPION, "3")
    assert registry.tenure(connection) == before
    registry.rollback(connection, "ana", "too low")
    assert registry.tenure(connection) > before


def test_the_history_is_only_added_to(
    warehouse: Any, connection: Any, make: Callable[..., Registered]
) -> None:
    settled(connection, make())
    for role in ("model", "dbt", "loader", "action"):
        for statement in (
            "update model_output.alias_change set why = 'another'",
            "delete from model_output.alias_change",
            "truncate model_output.alias_change",
        ):
            with (
                warehouse.connect(role) as opened,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                opened.execute(statement)
    with warehouse.connect("dbt") as opened:
        assert opened.execute("select count(*) from model_output.alias_change").fetchone() == (2,)


def test_the_command_lists_tells_and_leads_back(
    connection: Any, make: Callable[..., Registered], capsys: pytest.CaptureFixture[str]
) -> None:
    settled(connection, make())
    settled(connection, make())
    make(verdict=REFUSED)
    assert cli.main(["models", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == ["version", "3", "2", "1"]
    assert "refused" in listed[1]
    assert "challenger, champion" in listed[2]
    assert cli.main(["models", "rollback", "--why", "too low in ward 3"]) == 0
    assert "version 1 serves again, in place of 2" in capsys.readouterr().out
    assert champion() == "1"
    assert cli.main(["models", "rollback", "--why", "and again"]) == 2
    assert "no champion stood before version 1" in capsys.readouterr().err
    assert cli.main(["models", "rollback", "--to", "2", "--why", "it was right"]) == 0
    capsys.readouterr()
    assert cli.main(["models", "history"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 6
    assert "champion" in told[0]
    assert "1 → 2" in told[0]
    assert "it was right" in told[0]
    assert "promotion gate" in told[-1]


def test_a_veto_in_airflow_names_the_person_and_is_done_once(
    connection: Any, make: Callable[..., Registered]
) -> None:
    from caregrid.platform.steps import veto_model

    for _ in range(3):
        settled(connection, make())
    for _ in range(2):
        said = veto_model("too low in ward 3", None, "ana", "manual__2024-07-01")
        assert said == "version 2 serves again, in place of 3"
    assert champion() == "2"
    last = registry.history(connection)[-1]
    assert (last.who, last.why, last.run_id) == ("ana", "too low in ward 3", "manual__2024-07-01")
    assert veto_model("it was right", "3", None, "manual__2") == "version 3 serves again, in place of 2"


def told_of(connection: psycopg.Connection[Any], version: Registered) -> None:
    """Write the run that made a version, as a training does before it moves an alias."""
    with connection.transaction():
        connection.execute(
            """insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of,
               known_at_cut, code_version, lock_sha256, load_ids, parameters)
               values (%s, 'train', %s, %s, now(), now(), now(), %s, '', '{}', %s)""",
            (
                f"train-{version.version}", MODEL_NAME, version.version, version.tags["code_version"],
                Jsonb({"settings": version.tags["settings"]}),
            ),
        )  # fmt: skip


def test_a_veto_after_the_verdict_is_told_at_the_version(
    connection: Any, make: Callable[..., Registered]
) -> None:
    """The list of versions must not say promoted of what a person's veto kept back."""
    first, second, late = make(), make(), make()
    for one in (first, second, late):
        told_of(connection, one)
    settled(connection, first)
    settled(connection, second)
    registry.rollback(connection, "ana", "too low")
    settled(connection, late)
    assert champion() == first.version
    told = registry.by_version(late.version).tags
    assert told["verdict"] == REFUSED
    assert "vetoed: ana took version 2" in told["reason"]
    assert "The gate alone would have said: promoted: it is measured" in told["reason"]
    description = registry.client().get_model_version(MODEL_NAME, late.version).description
    assert description == f"refused: {told['reason']}"
    assert registry.by_version(second.version).tags["verdict"] == PROMOTED


def test_a_person_ends_a_veto_where_no_champion_is_left(
    connection: Any, make: Callable[..., Registered], capsys: pytest.CaptureFixture[str]
) -> None:
    """Training cannot: what it makes is refused, so that nothing would forecast ever again."""
    for _ in range(2):
        version = make()
        told_of(connection, version)
        settled(connection, version)
    registry.rollback(connection, "ana", "too low")
    registry.client().delete_registered_model_alias(MODEL_NAME, CHAMPION)
    late = make()
    told_of(connection, late)
    settled(connection, late)
    assert champion() is None
    reason = registry.by_version(late.version).tags["reason"]
    assert "caregrid models rollback --to VERSION" in reason
    assert "no champion is left that can forecast" in reason
    assert cli.main(["models", "rollback", "--to", late.version, "--why", "the feed was mended"]) == 0
    assert f"version {late.version} serves again, in place of none" in capsys.readouterr().out
    assert champion() == late.version
    assert moves(connection)[-1] == (None, late.version)
    last = make()
    told_of(connection, last)
    settled(connection, last)
    assert champion() == last.version
