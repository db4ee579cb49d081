"""Brings a backup back: verified whole before anything is touched, put in place beside, then exchanged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql

from caregrid import paths
from caregrid.database import connect, dump, migrate, server
from caregrid.errors import CareGridError
from caregrid.landing import store
from caregrid.platform import backup, services

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
    CAREGRID_LANDING says now, wherever they were when the backup was made.

    Args:
        directory: what `caregrid backup` wrote.
        overwrite: whatever is there now is lost.

    Raises:
        CareGridError: the backup is damaged (with what is), of another release, services run, or there is
            something that would be overwritten. Nothing was changed.
    """
    manifest = backup.read_manifest(directory)
    _refuse_damaged(directory, manifest)
    _refuse_newer(manifest)
    running = [name for name in services.running() if name != "postgres"]
    if running:
        raise CareGridError(f"{', '.join(running)} would write meanwhile", fix="stop them first: make down")
    if not server.is_external():
        server.start()
    if not overwrite:
        _refuse_overwriting()
    if store.is_on_disk():
        _files(directory, manifest, "landing", paths.var("landing"))
    else:
        _mend_landing(directory, manifest)
    _files(directory, manifest, "artifacts", backup.artifacts_root())
    _databases(directory, manifest)
    for name in ("secrets/keys.json", *backup.SETTINGS):
        if name in manifest["files"]:
            _place(directory / name, paths.var(name))
    if store.is_on_disk():
        _exchange(paths.var("landing"))
    _exchange(backup.artifacts_root())
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


def _refuse_overwriting() -> None:
    present = []
    for name in dump.ROLES:
        with dump.administer(dump.database_of(name)) as connection:
            tables = connection.execute(
                "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchone()
        if tables and tables[0]:
            present.append(f"the database {name} with {tables[0]} tables")
    # An object store is only added to: nothing there would be lost.
    landing = [paths.var("landing")] if store.is_on_disk() else []
    for folder in (*landing, backup.artifacts_root()):
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


def _databases(directory: Path, manifest: dict[str, Any]) -> None:
    """Restore every database beside the present one; only when all are whole, exchange them."""
    found = {name: dump.database_of(name) for name in dump.ROLES}
    with dump.administer("postgres") as admin:
        try:
            for name, database in found.items():
                owner = connect.parameters(dump.ROLES[name])["username"]
                granted = manifest["databases"][name]["grants"]
                dump.create(admin, f"{database}_restored", owner, granted)
                dump.read_back(directory / f"{name}.dump", f"{database}_restored")
            _readdress(f"{found['mlflow']}_restored", manifest["artifacts_root"])
        except BaseException:
            for database in found.values():
                name_of = sql.Identifier(f"{database}_restored")
                admin.execute(sql.SQL("drop database if exists {} with (force)").format(name_of))
            raise
        for database in found.values():
            dump.put_in_place(admin, database, f"{database}_restored")


def _readdress(database: str, was: str) -> None:
    """Let MLflow's tables point at the artifacts where they lie now."""
    now = backup.artifacts_root().resolve().as_uri()
    if now == was:
        return
    with dump.administer(database) as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'public' and column_name = any(%s)",
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


def _place(source: Path, target: Path) -> None:
    """Copy a small file that may be secret: written beside, readable by its owner alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent.name == "secrets":
        target.parent.chmod(0o700)
    temporary = target.with_name(f".{target.name}.new")
    temporary.touch(mode=0o600)
    shutil.copyfile(source, temporary)
    temporary.replace(target)
