"""What all tests share: exactly one marker each, and the real PostgreSQL that integration tests run on."""

from __future__ import annotations

import itertools
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from caregrid.database import connect, migrate, roles, server
from caregrid.paths import ROOT
from hypothesis import HealthCheck, settings

# A busy machine must not fail a property: no test is about time.
settings.register_profile("caregrid", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("caregrid")

MARKERS = {"unit", "dags", "integration", "e2e"}
TEMPLATE = "warehouse"
_numbers = itertools.count(1)


# What these folders set up is dear, and shared by all their files.
ONE_WORKER = ("tests/dags", "tests/e2e", "tests/integration/faults", "tests/integration/feeds")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out whole files, and whole folders where their fixtures are dear."""
    # Where servers alone are tested it is not installed.
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return next((folder for folder in ONE_WORKER if file.startswith(folder)), file)

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that bears none or several of the four markers."""
    for item in items:
        borne = MARKERS & {mark.name for mark in item.iter_markers()}
        if len(borne) != 1:
            raise pytest.UsageError(
                f"{item.nodeid}: needs exactly one of {sorted(MARKERS)}, has {sorted(borne)}"
            )


# What became of the records of a load before history is asked: counted from the lines, term by term.
ACCOUNT = """
with made as (
    select line, count(*) as rows from ledger.canonical_line where load_id = %(load)s group by line
), broken as (
    select line, count(*) filter (where output <> '') as rows from rejected.record where load_id = %(load)s
    group by line
), fate as (
    select fate, output = '' as of_record, sum(row_count)::bigint as rows from raw.fate
    where load_id = %(load)s
    group by 1, 2
)
select
    coalesce((select rows from fate where of_record and fate = 'received'), 0),
    (select count(*) from made where line not in (select line from broken)),
    (select count(*) from made where line in (select line from broken)),
    (select count(*) from broken where line not in (select line from made)),
    coalesce((select rows from fate where of_record and fate = 'duplicate'), 0),
    coalesce((select rows from fate where of_record and fate = 'filtered'), 0),
    coalesce((select rows from fate where not of_record and fate = 'received'), 0),
    coalesce((select sum(rows) from made), 0)::bigint + coalesce((select sum(rows) from broken), 0)::bigint
    + coalesce((select sum(rows) from fate where not of_record and fate <> 'received'), 0)::bigint
"""


@dataclass(frozen=True)
class Account:
    """Records of one load by what became of them, and its output rows; kept: made rows, none rejected."""

    received: int
    kept: int
    partly_rejected: int
    rejected: int
    duplicate: int
    filtered: int
    rows_produced: int
    rows_accounted: int


@dataclass(frozen=True)
class Warehouse:
    """A fresh, migrated warehouse of one test or one module, with a var directory of its own."""

    database: str
    var: Path
    dsns: dict[str, str]

    def dsn(self, role: str) -> str:
        """Return the role's DSN for this database."""
        return self.dsns[role]

    def connect(self, role: str, autocommit: bool = False) -> psycopg.Connection[Any]:
        """Open a connection as a role."""
        return connect.connect(role, autocommit)

    def account(self, load_id: int) -> Account:
        """Count what became of a load's records and rows; every one must be accounted for."""
        with self.connect("loader") as connection:
            row = connection.execute(ACCOUNT.encode(), {"load": load_id}).fetchone()
        account = Account(*(row or ()))
        ends = (
            account.kept + account.partly_rejected + account.rejected + account.duplicate + account.filtered
        )
        assert (account.received, account.rows_produced) == (ends, account.rows_accounted), account
        return account


@pytest.fixture(scope="session", autouse=True)
def test_var() -> Iterator[Path]:
    """Point CAREGRID_VAR at a directory of this test run, so that no test touches the developer's own."""
    var = ROOT / "var" / "tests" / f"{os.getpid()}-{uuid.uuid4().hex[:6]}"
    var.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CAREGRID_")]:
            patch.delenv(name)
        patch.setenv("CAREGRID_VAR", str(var))
        yield var
        server.delete()
    shutil.rmtree(var, ignore_errors=True)


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Give each test the environment that the one before it found: builds set theirs for good."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def database_server(test_var: Path) -> dict[str, str]:
    """Start PostgreSQL once, migrate the template, and return {role: dsn} of the template."""
    server.start(durable=False)
    migrate.migrate(connect.dsn("owner"))
    return {role: connect.dsn(role) for role in (*connect.ROLES, *connect.SERVICE_ROLES, "admin")}


def _fresh(template: dict[str, str], test_var: Path) -> Iterator[Warehouse]:
    database = f"test_{next(_numbers)}"
    var = test_var / database
    var.mkdir()
    with psycopg.connect(template["admin"], autocommit=True) as admin:
        roles.clone(admin, TEMPLATE, database)
    dsns = {role: f"{template[role].rsplit('/', 1)[0]}/{database}" for role in connect.ROLES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAREGRID_VAR", str(var))
        for role, dsn in dsns.items():
            patch.setenv(f"CAREGRID_DSN_{role.upper()}", dsn)
        yield Warehouse(database, var, dsns)
    with psycopg.connect(template["admin"], autocommit=True) as admin:
        admin.execute(f"drop database {database} with (force)")
    shutil.rmtree(var, ignore_errors=True)


@pytest.fixture
def warehouse(database_server: dict[str, str], test_var: Path) -> Iterator[Warehouse]:
    """A fresh migrated warehouse for one test; CAREGRID_DSN_* and CAREGRID_VAR point at it."""
    yield from _fresh(database_server, test_var)


@pytest.fixture(scope="module")
def warehouse_module(database_server: dict[str, str], test_var: Path) -> Iterator[Warehouse]:
    """A fresh migrated warehouse shared by the tests of one module."""
    yield from _fresh(database_server, test_var)
