"""Brings a backup back: verified whole before anything is touched, put in place beside, then exchanged."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql

from caregrid import paths
from caregrid.database import connect, dump, migrate, server
from caregrid.errors import CareGridError
from caregrid.landing import store
from caregrid.platform import accounts, artifacts, backup, services

# Whose sessions may write: those of Airflow, of its tasks and of MLflow.
_WRITERS = ("airflow", "mlflow", "loader", "dbt", "model", "action")
_PATIENCE = 5.0  # seconds
# Where MLflow keeps the address of artifacts, in its own tables.
_ADDRESSES = ("artifact_location", "artifact_uri", "source", "storage_location")


@dataclass
class Restored:
    """What was brought back."""

    taken_at: str
    databases: list[str]
    landed: int
    artifacts: int
    migrated: list[str]


def restore(directory: Path, overwrite: bool = False) -> Restored:
    """Bring the databases, landing and MLflow's artifacts to the moment of a backup.

    The warehouse's migrations that are newer than the backup are applied after it. Landed files go to where
    CAREGRID_LANDING says now, MLflow's artifacts to where CAREGRID_ARTIFACTS does, wherever they were when
    the backup was made.

    Args:
        directory: what `caregrid backup` wrote.
        overwrite: whatever is there now is lost.

    Raises:
        CareGridError: the backup is damaged (with what is), of another release or under other keys, services
            run or are connected, or there is something that would be overwritten. Nothing was changed.
    """
    manifest = backup.read_manifest(directory)
    _refuse_damaged(directory, manifest)
    _refuse_newer(manifest)
    running = [name for name in services.running() if name != "postgres"]
    if running:
        raise CareGridError(f"{', '.join(running)} would write meanwhile", fix="stop them first: make down")
    _refuse_other_keys(directory, manifest)
    if not server.is_external():
        server.start()
    _refuse_connected()
    models = artifacts.room()
    if not overwrite:
        _refuse_overwriting(models)
    if store.is_on_disk():
        _files(directory, manifest, "landing", paths.var("landing"))
    else:
        _mend_landing(directory, manifest)
    if isinstance(models, artifacts.Disk):
        _files(directory, manifest, "artifacts", models.root)
    else:
        for name, file in manifest["files"].items():
            if name.startswith("artifacts/"):
                models.mend(name.removeprefix("artifacts/"), directory / name, file["sha256"])
    _databases(directory, manifest, models.uri)
    if not _are_keys_given():
        _place(directory, manifest, backup.KEYS, backup.keys_file())
    for name in backup.SETTINGS:
        _place(directory, manifest, name, paths.var(name))
    if store.is_on_disk():
        _exchange(paths.var("landing"))
    if isinstance(models, artifacts.Disk):
        _exchange(models.root)
    migrated = migrate.migrate(connect.dsn("owner"))
    return Restored(
        manifest["taken_at"],
        sorted(manifest["databases"]),
        _count(manifest, "landing/"),
        _count(manifest, "artifacts/"),
        migrated,
    )


def _count(manifest: dict[str, Any], below: str) -> int:
    return sum(name.startswith(below) for name in manifest["files"])


# --- what is refused


def _refuse_damaged(directory: Path, manifest: dict[str, Any]) -> None:
    damaged = backup.damages(directory, manifest)
    if damaged:
        more = f" and {len(damaged) - 20} more" if len(damaged) > 20 else ""
        raise CareGridError(
            f"{len(damaged)} files of the backup are damaged: {'; '.join(damaged[:20])}{more}",
            where=str(directory),
            fix="nothing was changed; use another copy of this backup, or an earlier one",
        )


def _refuse_newer(manifest: dict[str, Any]) -> None:
    known = {migration.number for migration in migrate.read_migrations()}
    unknown = [number for number in manifest["databases"]["warehouse"]["migrations"] if number not in known]
    if unknown:
        raise CareGridError(
            f"the backup has migrations that this checkout does not know: {unknown}",
            fix="restore it with the release that wrote it, or a later one",
        )


def _are_keys_given() -> bool:
    """Return whether somebody else writes the secrets, as on servers; here they are only read then."""
    return "CAREGRID_SECRETS" in os.environ


def _refuse_other_keys(directory: Path, manifest: dict[str, Any]) -> None:
    """Airflow could not read the connections that it keeps under another key."""
    if not _are_keys_given() or backup.KEYS not in manifest["files"]:
        return
    kept = json.loads((directory / backup.KEYS).read_text(encoding="utf-8"))
    if kept.get("fernet") != accounts.keys()["fernet"]:
        raise CareGridError(
            "Airflow's connections in the backup were encrypted with another key than this installation has",
            where=str(backup.keys_file()),
            fix=f"put {directory / backup.KEYS} into the folder of the secrets, in place of the present one",
        )


def _refuse_connected() -> None:
    """Refuse while somebody who may write is connected, on this machine or another."""
    logins = []
    for role in _WRITERS:
        with suppress(CareGridError):  # this installation has no such role
            logins.append(connect.parameters(role)["username"])
    databases = [dump.database_of(name) for name in dump.ROLES]
    until = time.monotonic() + _PATIENCE
    with dump.administer("postgres") as admin:
        while True:
            sessions = admin.execute(
                "select usename, coalesce(host(client_addr), 'this machine'), count(*) "
                "from pg_stat_activity where usename = any(%s) and datname = any(%s) "
                "and pid <> pg_backend_pid() group by 1, 2 order by 1, 2",
                [logins, databases],
            ).fetchall()
            # A process that was just stopped leaves a session that ends by itself.
            if not sessions or time.monotonic() > until:
                break
            time.sleep(0.2)
    if sessions:
        told = "; ".join(f"{login} from {address}: {number}" for login, address, number in sessions)
        raise CareGridError(
            f"sessions that may write are open ({told})",
            where=f"the databases {', '.join(databases)}",
            fix="stop Airflow, its workers and MLflow first, wherever they run: make down, or on servers "
            "`docker compose stop` with their names (docs/servers.md, Backup)",
        )


def _refuse_overwriting(models: artifacts.Room) -> None:
    present = []
    for name in dump.ROLES:
        with dump.administer(dump.database_of(name)) as connection:
            tables = connection.execute(
                "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchone()
        if tables and tables[0]:
            present.append(f"the database {name} with {tables[0]} tables")
    # An object store is only added to: nothing there would be lost.
    folders = [paths.var("landing")] if store.is_on_disk() else []
    folders += [models.root] if isinstance(models, artifacts.Disk) else []
    for folder in folders:
        if any(path.is_file() for path in folder.rglob("*")):
            present.append(f"files in {folder}")
    if present:
        raise CareGridError(
            f"this would be lost: {'; '.join(present)}",
            fix="keep it first with `caregrid backup`; then add --overwrite",
        )


# --- putting in place


def _beside(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.restored")


def _files(directory: Path, manifest: dict[str, Any], folder: str, target: Path) -> None:
    """Copy a folder of the backup beside the place it goes to."""
    beside = _beside(target)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in manifest["files"]:
        if name.startswith(f"{folder}/"):
            copied = beside / Path(name).relative_to(folder)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory / name, copied)
            if folder == "landing":
                copied.chmod(0o440)


def _mend_landing(directory: Path, manifest: dict[str, Any]) -> None:
    """Send to the object store the landed files that do not lie there whole; touch nothing else."""
    room = store.room()
    for name, file in manifest["files"].items():
        if name.startswith("landing/"):
            room.mend(directory / name, file["sha256"], file["bytes"])


def _exchange(target: Path) -> None:
    """Put a directory that was filled beside in place."""
    shutil.rmtree(target, ignore_errors=True)
    _beside(target).rename(target)


def _databases(directory: Path, manifest: dict[str, Any], artifacts_now: str) -> None:
    """Restore every database beside the present one; only when all are whole, exchange them."""
    found = {name: dump.database_of(name) for name in dump.ROLES}
    with dump.administer("postgres") as admin:
        try:
            for name, database in found.items():
                owner = connect.parameters(dump.ROLES[name])["username"]
                granted = manifest["databases"][name]["grants"]
                dump.create(admin, f"{database}_restored", owner, granted)
                dump.read_back(directory / f"{name}.dump", f"{database}_restored")
            _readdress(f"{found['mlflow']}_restored", manifest["artifacts_root"], artifacts_now)
        except BaseException:
            for database in found.values():
                name_of = sql.Identifier(f"{database}_restored")
                admin.execute(sql.SQL("drop database if exists {} with (force)").format(name_of))
            raise
        for database in found.values():
            dump.put_in_place(admin, database, f"{database}_restored")


def _readdress(database: str, was: str, now: str) -> None:
    """Let MLflow's tables point at the artifacts where they lie now."""
    if now == was:
        return
    with dump.administer(database) as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'public' and column_name = any(%s) "
            # MLflow calls other things by these names too, as JSON.
            "and data_type in ('text', 'character varying')",
            [list(_ADDRESSES)],
        ).fetchall()
        for table, column in columns:
            connection.execute(
                sql.SQL(
                    "update {0} set {1} = %(now)s || substr({1}, length(%(was)s) + 1) "
                    "where {1} = %(was)s or starts_with({1}, %(was)s || '/')"
                ).format(sql.Identifier("public", table), sql.Identifier(column)),
                {"now": now, "was": was},
            )


def _place(directory: Path, manifest: dict[str, Any], name: str, target: Path) -> None:
    """Copy a small file that may be secret, if there is one: written beside, readable by its owner alone."""
    if name not in manifest["files"]:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent.name == "secrets":
        target.parent.chmod(0o700)
    temporary = target.with_name(f".{target.name}.new")
    temporary.touch(mode=0o600)
    shutil.copyfile(directory / name, temporary)
    temporary.replace(target)
