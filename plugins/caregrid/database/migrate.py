"""Applies the numbered SQL migrations: each once, in its own transaction, never a changed one."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from caregrid.errors import CareGridError

MIGRATIONS = Path(__file__).parent / "migrations"
# Any constant will do, as long as every runner of these migrations asks for the same one.
_LOCK = 7_203_114_201
_APPLIED = """
create schema if not exists migration;
create table if not exists migration.applied (
    number     integer primary key,
    name       text not null,
    sha256     text not null,
    applied_at timestamptz not null default clock_timestamp()
);
"""


@dataclass(frozen=True)
class Migration:
    """One file NNNN_name.sql."""

    number: int
    name: str
    sql: str
    sha256: str


def read_migrations(directory: Path = MIGRATIONS) -> list[Migration]:
    """Return the migrations of a directory in order.

    Raises:
        CareGridError: a file is misnamed, or two bear one number.
    """
    found = []
    for path in sorted(directory.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", path.name)
        if not match:
            raise CareGridError("this is no migration", where=str(path), fix="name it NNNN_what_it_does.sql")
        content = path.read_bytes()
        found.append(
            Migration(int(match[1]), path.name, content.decode(), hashlib.sha256(content).hexdigest())
        )
    for earlier, later in itertools.pairwise(found):
        if earlier.number == later.number:
            raise CareGridError(
                f"has the number of {earlier.name}", where=later.name, fix="give it the next free number"
            )
    return found


def migrate(dsn: str, directory: Path = MIGRATIONS) -> list[str]:
    """Apply to the database behind `dsn` (as the owner) what is not applied yet; return the new names.

    Two runners at once are safe: the second waits on an advisory lock and finds nothing to do.

    Raises:
        CareGridError: an applied file has changed or is gone, or a migration fails (it is rolled back whole).
    """
    migrations = read_migrations(directory)
    with psycopg.connect(dsn, autocommit=True, application_name="caregrid migrate") as connection:
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        # A schema that exists already is no news to the person watching.
        connection.execute("set client_min_messages = warning")
        connection.execute(_APPLIED)
        applied = {
            number: (name, sha256)
            for number, name, sha256 in connection.execute(
                "select number, name, sha256 from migration.applied"
            )
        }
        _refuse_changes(migrations, applied)
        pending = [migration for migration in migrations if migration.number not in applied]
        _refuse_late_comers(pending, applied)
        for migration in pending:
            _apply(connection, migration)
        return [migration.name for migration in pending]


def _refuse_changes(migrations: list[Migration], applied: dict[int, tuple[str, str]]) -> None:
    present = {migration.number: migration for migration in migrations}
    for number, (name, sha256) in sorted(applied.items()):
        if number not in present:
            raise CareGridError(
                "was applied to this database, and the file is gone",
                where=name,
                fix="bring the file back, or use the checkout that this database belongs to",
            )
        if present[number].sha256 != sha256:
            raise CareGridError(
                "was changed after it was applied",
                where=present[number].name,
                fix="restore the file and write the change as a new migration; if the database is of another "
                "checkout, use that one, or delete what was written: make reset",
            )


def _refuse_late_comers(pending: list[Migration], applied: dict[int, tuple[str, str]]) -> None:
    # Every database must have seen the same order, or two of the same version could differ.
    for migration in pending:
        if applied and migration.number < max(applied):
            raise CareGridError(
                f"comes after {max(applied):04d}, which this database already has",
                where=migration.name,
                fix="give it a number above, or start from an empty database (`make reset`)",
            )


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql.encode())
            connection.execute(
                "insert into migration.applied (number, name, sha256) values (%s, %s, %s)",
                [migration.number, migration.name, migration.sha256],
            )
    except psycopg.Error as error:
        raise CareGridError(
            f"the migration failed and was rolled back: {error}",
            where=migration.name,
            fix="what was there is unharmed; see to the cause (a lock, the disk, a table that was changed by "
            "hand), then run `caregrid database migrate` again",
        ) from error
