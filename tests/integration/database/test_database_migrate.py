"""Migrations run once each, whole or not at all, and never in a changed form."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from caregrid.database.migrate import MIGRATIONS, migrate, read_migrations
from caregrid.errors import CareGridError

pytestmark = pytest.mark.integration


def _copy(target: Path) -> Path:
    for file in MIGRATIONS.glob("*.sql"):
        (target / file.name).write_bytes(file.read_bytes())
    return target


def _next(directory: Path, sql: str) -> Path:
    file = directory / f"{read_migrations(directory)[-1].number + 1:04d}_more.sql"
    file.write_text(sql)
    return file


def test_second_run_applies_nothing(warehouse: Any) -> None:
    assert migrate(warehouse.dsn("owner")) == []


def test_changed_file_is_refused(warehouse: Any, tmp_path: Path) -> None:
    directory = _copy(tmp_path)
    first = sorted(directory.glob("*.sql"))[0]
    first.write_text(first.read_text() + "\n-- an afterthought\n")
    with pytest.raises(CareGridError, match="changed after it was applied"):
        migrate(warehouse.dsn("owner"), directory)


def test_missing_file_is_refused(warehouse: Any, tmp_path: Path) -> None:
    directory = _copy(tmp_path)
    sorted(directory.glob("*.sql"))[-1].unlink()
    with pytest.raises(CareGridError, match="the file is gone"):
        migrate(warehouse.dsn("owner"), directory)


def test_failing_migration_leaves_nothing(warehouse: Any, tmp_path: Path) -> None:
    directory = _copy(tmp_path)
    file = _next(directory, "create table public.half (a int); select 1/0;")
    with pytest.raises(CareGridError, match="rolled back"):
        migrate(warehouse.dsn("owner"), directory)
    with warehouse.connect("owner") as connection:
        assert connection.execute("select to_regclass('public.half')").fetchone() == (None,)
        assert (
            connection.execute("select * from migration.applied where name = %s", [file.name]).fetchall()
            == []
        )


def test_two_runners_at_once_apply_each_file_once(warehouse: Any, tmp_path: Path) -> None:
    directory = _copy(tmp_path)
    _next(directory, "create table public.once (a int); select pg_sleep(0.2);")
    applied: list[list[str]] = []
    runners = [
        threading.Thread(target=lambda: applied.append(migrate(warehouse.dsn("owner"), directory)))
        for _ in range(3)
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert sorted(len(names) for names in applied) == [0, 0, 1]


def test_a_number_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_one.sql").write_text("select 1")
    (tmp_path / "0001_other.sql").write_text("select 1")
    with pytest.raises(CareGridError, match="has the number of"):
        read_migrations(tmp_path)


def test_a_number_below_those_applied_is_refused(warehouse: Any, tmp_path: Path) -> None:
    directory = _copy(tmp_path)
    last = read_migrations(directory)[-1].number
    (directory / f"{last + 2:04d}_later.sql").write_text("select 1")
    migrate(warehouse.dsn("owner"), directory)
    (directory / f"{last + 1:04d}_between.sql").write_text("select 1")
    with pytest.raises(CareGridError, match="which this database already has"):
        migrate(warehouse.dsn("owner"), directory)
