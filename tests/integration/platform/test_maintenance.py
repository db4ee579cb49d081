"""What maintain does to the warehouse, the logs and landing; and how the build waits for loads to pause."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from caregrid.platform import maintenance
from caregrid.platform.debounce import is_anything_staged, wait_for_quiet

pytestmark = pytest.mark.integration

_OLD = 400 * 86_400


def test_vacuum_reaches_the_tables_of_both_owners(warehouse: Any) -> None:
    with warehouse.connect("dbt") as dbt:
        dbt.execute("create schema core")
        dbt.execute("create table core.number as select generate_series(1, 10) as value")
    maintenance.vacuum_warehouse()
    with warehouse.connect("owner") as owner:
        analyzed = owner.execute(
            "select schemaname || '.' || relname from pg_stat_user_tables where last_analyze is not null"
        ).fetchall()
    assert {("core.number",), ("raw.load",), ("canonical.usage",)} <= set(analyzed)


def test_old_logs_go_and_young_ones_stay(warehouse: Any) -> None:
    logs = warehouse.var / "logs" / "airflow" / "dag_id=a"
    logs.mkdir(parents=True)
    old, young, service = logs / "old.log", logs / "young.log", warehouse.var / "logs" / "mlflow.log"
    for file in (old, young, service):
        file.write_text("line\n")
    past = time.time() - _OLD
    os.utime(old, (past, past))
    os.utime(service, (past, past))
    (warehouse.var / "tmp").mkdir()
    (warehouse.var / "lineage").mkdir()
    told = [warehouse.var / "lineage" / f"events-2026-01-0{number}.ndjson" for number in (1, 2)]
    for file in told:
        file.write_text("{}\n")
        os.utime(file, (past, past))
    maintenance.clean_logs(keep_days=30)
    # The youngest may still be written to.
    assert [file.exists() for file in told] == [False, True]
    assert not old.exists()
    assert young.exists()
    # A service that has nothing to say still holds its log open.
    assert service.exists()


def test_grown_log_keeps_its_newest_lines_in_the_same_file(warehouse: Any) -> None:
    log = warehouse.var / "logs" / "airflow-scheduler.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"old\n" * (6 * 2**20) + b"newest\n")
    (warehouse.var / "tmp").mkdir()
    number = log.stat().st_ino
    maintenance.clean_logs(keep_days=30)
    assert log.stat().st_ino == number
    assert log.stat().st_size <= 10 * 2**20
    assert log.read_bytes().endswith(b"newest\n")


def _file(warehouse: Any, digest: str, loaded: bool) -> None:
    path = warehouse.var / "landing" / digest[:2] / digest[2:4] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"bytes")
    past = time.time() - _OLD
    os.utime(path, (past, past))
    if not loaded:
        return
    with warehouse.connect("loader") as loader:
        (file_id,) = loader.execute(
            "insert into landing.file"
            " (feed, source, uri, version, sha256, byte_size, published_at, published_at_is_assumed)"
            " values ('f', 's', 'base:x', 1, %s, 5, '2020-01-01', false) returning file_id",
            [digest],
        ).fetchone()
        loader.execute(
            "insert into raw.load"
            " (file_id, feed, source, owner, visibility, mapping_version, mapping, status)"
            " values (%s, 'f', 's', 'o', 'public', 'v', '{}', 'superseded')",
            [file_id],
        )


def test_landed_bytes_that_a_load_refers_to_are_kept_however_old(warehouse: Any) -> None:
    kept, unused = "a" * 64, "b" * 64
    _file(warehouse, kept, loaded=True)
    _file(warehouse, unused, loaded=False)
    (warehouse.var / "tmp").mkdir(exist_ok=True)
    maintenance.clean_landing()
    names = {path.name for path in (warehouse.var / "landing").rglob("*") if path.is_file()}
    assert names == {kept}


def _paths(warehouse: Any, run_id: str, kind: str, days_ago: float) -> None:
    made = datetime.now(UTC) - timedelta(days=days_ago)
    with warehouse.connect("model") as model:
        model.execute(
            "insert into model_output.run (run_id, kind, model_name, model_version, made_at, as_of,"
            " known_at_cut, code_version, lock_sha256, load_ids)"
            " values (%s, %s, 'm', '1', %s, %s, %s, 'c', 'l', '{}')",
            [run_id, kind, *[made] * 3],
        )
        for series in (1, 2):
            model.execute(
                "insert into model_output.path values (%s, %s, %s, '{1, 2}')", [run_id, series, made]
            )
            model.execute(
                "insert into model_output.forecast values (%s, %s, %s, %s, 1, 0.5, 1, %s, %s)",
                [run_id, series, *[made] * 4],
            )


def _runs_with(warehouse: Any, table: str) -> set[str]:
    with warehouse.connect("dbt") as dbt:
        return {run for (run,) in dbt.execute(f"select distinct run_id from model_output.{table}")}


def test_old_paths_go_and_quantiles_stay(warehouse: Any) -> None:
    for run_id, days_ago in (("old", 9.0), ("young", 6.0), ("newest", 0.5)):
        _paths(warehouse, run_id, "score", days_ago)
    assert "paths of 2 periods" in maintenance.clean_paths(keep_days=7)
    assert _runs_with(warehouse, "path") == {"young", "newest"}
    assert _runs_with(warehouse, "forecast") == {"old", "young", "newest"}
    assert "paths of 0 periods" in maintenance.clean_paths(keep_days=7)


def test_paths_of_the_newest_scoring_run_stay_however_old(warehouse: Any) -> None:
    _paths(warehouse, "older", "score", 30.0)
    _paths(warehouse, "newest", "score", 20.0)
    # A back-test that came later is no scoring run.
    _paths(warehouse, "tested", "backtest", 10.0)
    maintenance.clean_paths(keep_days=7)
    assert _runs_with(warehouse, "path") == {"newest"}


def test_the_models_themselves_delete_no_path(warehouse: Any) -> None:
    _paths(warehouse, "old", "score", 30.0)
    with warehouse.connect("model") as model, pytest.raises(psycopg.errors.InsufficientPrivilege):
        model.execute("delete from model_output.path")
    assert _runs_with(warehouse, "path") == {"old"}


def test_build_waits_while_a_load_is_being_written_but_not_for_ever(warehouse: Any) -> None:
    from caregrid.loading.stage import STAGE_LOCK

    done = threading.Event()
    with warehouse.connect("loader") as writer:
        writer.execute("select pg_advisory_xact_lock(%s::int, 1)", [STAGE_LOCK])
        waiting = threading.Thread(target=lambda: (wait_for_quiet(0.1), done.set()))
        waiting.start()
        assert not done.wait(1.0)
    waiting.join(30)
    assert done.is_set()
    with warehouse.connect("loader") as writer:
        writer.execute("select pg_advisory_xact_lock(%s::int, 1)", [STAGE_LOCK])
        assert wait_for_quiet(0.1, at_most_seconds=0.5) >= 0.5


def test_nothing_is_staged_in_an_empty_warehouse(warehouse: Any) -> None:
    assert not is_anything_staged()
