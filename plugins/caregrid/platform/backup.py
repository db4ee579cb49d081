"""One moment of the databases, the landed files and MLflow's artifacts, kept in a directory.

    NAME/manifest.json        what there is, with the sha256 of every file; written last
    NAME/warehouse.dump       and mlflow.dump, airflow.dump: pg_dump's custom format
    NAME/landing/ab/cd/…      the landed bytes that the warehouse names, from the disk or the object store
    NAME/artifacts/…          the artifacts of the runs and models that MLflow names, from either as well
    NAME/secrets/keys.json    without it Airflow cannot read the connections that it keeps

The three databases are held in snapshots taken at once; landing and artifacts are only ever added to, before
the databases name them, so what the snapshots name is there. The warehouse comes first: it refers to MLflow,
never the other way round. Loads go on meanwhile; a build waits, for it drops and makes tables.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from caregrid import clock, paths
from caregrid.database import dump
from caregrid.errors import CareGridError
from caregrid.landing import store
from caregrid.platform import accounts, artifacts
from caregrid.warehouse.build import LOCK

FORMAT = 1
MANIFEST = "manifest.json"
# Kept beside the databases: what the restored ones cannot do without.
KEYS = "secrets/keys.json"
SETTINGS = ("run/as_of_by_feed.json",)


@dataclass
class Backup:
    """What a backup holds.

    missing: landed files that the warehouse names and that are gone or damaged.
    """

    directory: Path
    taken_at: str
    rows: dict[str, int] = field(default_factory=dict)
    landed: int = 0
    artifacts: int = 0
    byte_size: int = 0
    missing: list[str] = field(default_factory=list)


def back_up(directory: Path | None = None) -> Backup:
    """Write a backup into a directory that does not exist yet; default var/backups/<moment>.

    Nobody but its owner may read it: it holds the data, and the key of Airflow's connections.

    Raises:
        CareGridError: the directory exists, a database does not answer, or pg_dump failed; nothing is left.
    """
    taken = clock.now()
    target = directory or paths.var("backups", f"{taken:%Y%m%dT%H%M%SZ}")
    if target.exists():
        raise CareGridError("this exists already", where=str(target), fix="name a directory that does not")
    part = target.with_name(f".{target.name}.part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True, mode=0o700)
    try:
        backup = _write(part, taken.isoformat())
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    backup.directory = target
    return backup


def _write(part: Path, taken_at: str) -> Backup:
    backup = Backup(part, taken_at)
    accounts.keys()  # made now if Airflow has never run, so that every backup has them
    databases: dict[str, Any] = {}
    models = artifacts.room()
    with _no_build(), dump.snapshots(list(dump.ROLES)) as held:
        landed = _landed(held["warehouse"].connection)
        named = list(_artifacts(held["mlflow"].connection, models))
        for name, snapshot in held.items():
            connection = snapshot.connection
            databases[name] = {
                "taken_at": snapshot.taken_at,
                "server": connection.info.server_version // 10_000,
                "grants": dump.grants(connection),
                "migrations": _migrations(connection) if name == "warehouse" else [],
            }
            backup.rows[name] = _rows(connection)
            dump.dump(snapshot, part / f"{name}.dump")
    files = {f"{name}.dump": digest_of(part / f"{name}.dump") for name in databases}
    room = store.room()
    for sha256 in landed:
        kept = part / "landing" / sha256[:2] / sha256[2:4] / sha256
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            room.copy_to(sha256, kept)
        except (store.GoneError, store.DamagedError):
            backup.missing.append(sha256)
        else:
            files[str(kept.relative_to(part))] = {"sha256": sha256, "bytes": kept.stat().st_size}
    for name in named:
        kept = part / "artifacts" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        # MLflow's own cleaning may have removed a run since the snapshot.
        if models.copy_to(name, kept):
            files[str(kept.relative_to(part))] = digest_of(kept)
            backup.artifacts += 1
    for name, source in ((KEYS, keys_file()), *((name, paths.var(name)) for name in SETTINGS)):
        if _copy(source, part / name):
            files[name] = digest_of(part / name)
    backup.landed = len(landed) - len(backup.missing)
    backup.byte_size = sum(file["bytes"] for file in files.values())
    _write_manifest(part, {
        "format": FORMAT,
        "taken_at": taken_at,
        "databases": databases,
        "artifacts_root": models.uri,
        "missing": backup.missing,
        "files": files,
    })  # fmt: skip
    for path in [part, *part.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    return backup


def keys_file() -> Path:
    """Return the file of the keys that this installation goes by."""
    return paths.secrets("keys.json")


@contextmanager
def _no_build() -> Iterator[None]:
    """Wait until no build of the warehouse runs, and keep builds waiting: they drop and make tables."""
    with dump.administer(dump.database_of("warehouse")) as connection:
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        yield


def _landed(connection: psycopg.Connection[Any]) -> list[str]:
    if not _has(connection, "landing.file"):
        return []
    return [row[0] for row in connection.execute("select distinct sha256 from landing.file order by 1")]


def _migrations(connection: psycopg.Connection[Any]) -> list[int]:
    if not _has(connection, "migration.applied"):
        return []
    return [row[0] for row in connection.execute("select number from migration.applied order by 1")]


def _artifacts(connection: psycopg.Connection[Any], models: artifacts.Room) -> Iterator[str]:
    """Yield the artifacts of every run, logged model and experiment that MLflow names."""
    known: set[str] = set()
    for table, column in (("runs", "run_uuid"), ("logged_models", "model_id"), ("trace_info", "request_id")):
        if _has(connection, f"public.{table}"):
            query = sql.SQL("select {} from {}").format(
                sql.Identifier(column), sql.Identifier("public", table)
            )
            found = connection.execute(query)
            known |= {row[0] for row in found}
    for name in models.names():
        if known.intersection(name.split("/")):
            yield name


def _has(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", [table]).fetchone()
    return bool(row and row[0])


def _rows(connection: psycopg.Connection[Any]) -> int:
    """Return the number of rows of all tables, as the snapshot sees them."""
    tables = connection.execute(
        "select schemaname, tablename from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema')"
    ).fetchall()
    total = 0
    for schema, table in tables:
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
        row = connection.execute(query).fetchone()
        total += row[0] if row else 0
    return total


def _copy(source: Path, target: Path) -> bool:
    """Copy the bytes; return whether there were any to copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        return False
    return True


def digest_of(path: Path) -> dict[str, Any]:
    """Return {sha256, bytes} of a file."""
    return {"sha256": store.digest(path), "bytes": path.stat().st_size}


def _write_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    content = json.dumps(manifest, indent=1, sort_keys=True)
    seal = hashlib.sha256(content.encode()).hexdigest()
    file = directory / MANIFEST
    file.write_text(f"{content}\n{seal}\n", encoding="utf-8")
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def read_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a backup.

    Raises:
        CareGridError: there is none, it was changed, or another release wrote it.
    """
    file = directory / MANIFEST
    try:
        content, _, seal = file.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")
    except FileNotFoundError:
        is_there = directory.is_dir()
        raise CareGridError(
            "this is no backup, or an incomplete one: its manifest is missing"
            if is_there
            else "there is no such directory",
            where=str(directory),
            fix="name the directory that `make backup` printed; by default it lies in "
            f"{paths.var('backups')}",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CareGridError(
            f"this is no backup, or an incomplete one: {error}", where=str(file), fix="name another backup"
        ) from error
    if hashlib.sha256(content.encode()).hexdigest() != seal:
        raise CareGridError("the manifest is damaged", where=str(file), fix="use another copy of this backup")
    manifest: dict[str, Any] = json.loads(content)
    if manifest["format"] != FORMAT:
        raise CareGridError(
            f"the backup is of format {manifest['format']}; this checkout reads {FORMAT}",
            where=str(file),
            fix="restore it with the checkout that wrote it",
        )
    return manifest


def damages(directory: Path, manifest: dict[str, Any]) -> list[str]:
    """Say of every file that is missing, or not what it was, which it is."""
    found = []
    for name, expected in _inside(directory, manifest["files"].items()):
        path = directory / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != expected["bytes"]:
            found.append(f"{name} has {path.stat().st_size:,} of {expected['bytes']:,} bytes")
        elif store.digest(path) != expected["sha256"]:
            found.append(f"{name} has other content")
    return found


def _inside(directory: Path, files: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Refuse a manifest that names a file outside its own directory."""
    root = directory.resolve()
    for name, expected in files:
        if root not in (directory / name).resolve().parents:
            raise CareGridError(
                f"names a file outside the backup: {name}",
                where=str(directory / MANIFEST),
                fix="do not use it: this is no backup that CareGrid has written",
            )
        yield name, expected
