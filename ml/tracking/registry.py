"""Versions of the model in MLflow, and which serves; each move of an alias is told in the warehouse."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from ..gate.promotion import PROMOTED, Verdict
from ..recipe.files import load_all
from ..recipe.model import FittedCareGrid
from ..warehouse.settings import MODEL_NAME
from .changes import CHAMPION, GATE, Change, champions, history, tenure
from .runs import LONGEST_TAG, log_training
from .store import EXPERIMENT, Registered, client, experiment
from .vetoes import heeded

__all__ = [
    "CHALLENGER", "CHAMPION", "EXPERIMENT", "GATE", "MODEL_NAME", "Change", "Registered", "by_alias",
    "by_version", "champions", "client", "experiment", "history", "log_training", "models_of", "move_alias",
    "rollback", "settle", "tenure", "versions",
]  # fmt: skip

CHALLENGER = "challenger"
NONE = "none"  # the version that served where none did
# What reading files raises where one of them is gone, was cut short or changed.
UNREADABLE = (FileNotFoundError, NotADirectoryError, EOFError, BadZipFile, KeyError, TypeError, ValueError)
LOCK = 4_208_137  # of the database; two moves of an alias wait for each other


def by_alias(alias: str) -> Registered | None:
    """Return the version an alias names, or None."""
    from mlflow.exceptions import MlflowException

    mlflow_client = client()
    try:
        found = mlflow_client.get_model_version_by_alias(MODEL_NAME, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return Registered(str(found.version), str(found.run_id), dict(found.tags))


def by_version(version: str) -> Registered:
    """Return a version by its number; MLflow's own error when there is none."""
    found = client().get_model_version(MODEL_NAME, version)
    return Registered(str(found.version), str(found.run_id), dict(found.tags))


def versions() -> list[Registered]:
    """Return every version, the newest first."""
    mlflow_client = client()
    found: list[Registered] = []
    token = None
    while True:
        page = mlflow_client.search_model_versions(f"name = '{MODEL_NAME}'", page_token=token)
        found += [Registered(str(one.version), str(one.run_id), dict(one.tags)) for one in page]
        token = page.token
        if not token:
            return sorted(found, key=lambda one: -int(one.version))


def models_of(version: str) -> dict[tuple[str, str], FittedCareGrid]:
    """Return the fitted models of a version, by (grain, feed).

    Raises:
        CareGridError: its files are gone, or not what was written. A store that cannot be reached, or gives
            no answer for a file that it lists, raises its own error: it says nothing of the files.
    """
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    client()
    with tempfile.TemporaryDirectory() as folder:
        try:
            local = mlflow.artifacts.download_artifacts(f"models:/{MODEL_NAME}/{version}", dst_path=folder)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise _damaged(version, error) from error
        try:
            found = load_all(Path(local) / "artifacts" / "models")
        except UNREADABLE as error:
            raise _damaged(version, error) from error
    if not found:
        raise _damaged(version, "no model is left in its files")
    return found


def _damaged(version: str, why: object) -> Exception:
    from caregrid.errors import CareGridError

    return CareGridError(
        f"the model cannot be read: {why}", where=f"{MODEL_NAME} version {version}",
        fix="let another version serve (`caregrid models rollback --to VERSION --why TEXT`; `caregrid models "
        "list` shows them), or train anew (`caregrid forecast train`), which a person's veto of the recipe "
        "keeps from serving",
    )  # fmt: skip


def settle(connection: Any, registered: Registered, verdict: Verdict, run_id: str) -> Verdict:
    """Move the aliases after a training: `challenger` to it always, `champion` where the gate promotes it.

    A retry of the same training moves nothing twice. A person's veto that came after the verdict is heeded;
    the verdict as it was carried out is returned, and told in MLflow in place of the one before.
    """
    with _alone(connection):
        verdict = heeded(connection, verdict, registered.tags["settings"], registered.tags["code_version"])
        for alias in (CHALLENGER, *([CHAMPION] if verdict.answer == PROMOTED else [])):
            _move(
                connection, alias, registered.version, GATE, f"{verdict.answer}: {verdict.reason}",
                verdict.table, run_id,
            )  # fmt: skip
        if (registered.tags.get("verdict"), registered.tags.get("reason")) != (
            verdict.answer,
            verdict.reason,
        ):
            _tell(registered, verdict)
    return verdict


def _tell(registered: Registered, verdict: Verdict) -> None:
    """Say at a version, and at the run that made it, what became of it."""
    mlflow_client = client()
    for tag, value in (("verdict", verdict.answer), ("reason", verdict.reason)):
        mlflow_client.set_model_version_tag(MODEL_NAME, registered.version, tag, value)
        if registered.run_id:
            mlflow_client.set_tag(registered.run_id, tag, value[:LONGEST_TAG])
    mlflow_client.update_model_version(MODEL_NAME, registered.version, f"{verdict.answer}: {verdict.reason}")


def move_alias(
    connection: Any, alias: str, to_version: str, who: str, why: str,
    gate: list[dict[str, Any]] | None = None, run_id: str | None = None,
) -> bool:  # fmt: skip
    """Move an alias: the one place where that is done. Returns False where it stands there already.

    First the warehouse is told, then MLflow: a crash between the two leaves a row whose move the next call
    carries out without a second row, never a move that nobody is told of. What an alias names now, MLflow
    alone says; `champions` reads the rows so.

    Args:
        connection: as role model, outside of a transaction.
        who: a person, or what decided in a person's place.
        gate: the table of checks behind it, where there was one.
        run_id: of the training, or of Airflow's run.
    """
    with _alone(connection):
        return _move(connection, alias, to_version, who, why, gate, run_id)


def rollback(
    connection: Any, who: str, why: str, to_version: str | None = None, run_id: str | None = None
) -> tuple[str, str]:
    """Let an earlier champion serve again, and return (the version that served, the version that serves).

    Args:
        to_version: None: the champion before the current one. Where there is no champion one must be named;
            `none` has served then.
        run_id: of what asks for it; the same run asks once, however often it is tried again.

    Raises:
        CareGridError: no version is named and there is no champion, or none before it; or the version cannot
            serve.
    """
    from caregrid.errors import CareGridError

    if not why.strip():
        raise CareGridError("a rollback needs a reason", where="why", fix="say what is wrong with the model")
    with _alone(connection):
        changes = [one for one in history(connection) if one.alias == CHAMPION]
        current = by_alias(CHAMPION)
        if run_id is not None and changes and changes[-1].run_id == run_id:
            # This very run was here before, and broke off at the latest after its row.
            asked = changes[-1]
            _name(CHAMPION, asked.to_version)
            return asked.from_version or NONE, asked.to_version
        if current is None and to_version is None:
            raise CareGridError(
                "there is no champion", where=MODEL_NAME,
                fix="train one (`caregrid forecast train`), or name a version with --to; "
                "`caregrid models list` shows them",
            )  # fmt: skip
        served = NONE if current is None else current.version
        if to_version is None:
            stack = champions(changes, served)
            if len(stack) < 2:
                raise CareGridError(
                    f"no champion stood before version {served}", where=MODEL_NAME,
                    fix="name a version with --to; `caregrid models list` shows them",
                )  # fmt: skip
            to_version = stack[-2]
        _can_serve(to_version, served)
        _move(connection, CHAMPION, to_version, who, why, None, run_id)
        return served, to_version


def _move(
    connection: Any, alias: str, to_version: str, who: str, why: str, gate: list[dict[str, Any]] | None,
    run_id: str | None,
) -> bool:  # fmt: skip
    from psycopg.types.json import Jsonb

    current = by_alias(alias)
    now = current.version if current is not None else None
    told = [one for one in history(connection) if one.alias == alias]
    if now == to_version:
        return False
    table = None if gate is None else Jsonb(gate)
    # The row of a move that broke off is there already, if the same hand tries again.
    asked = (now, to_version, who, run_id)
    if not told or (told[-1].from_version, told[-1].to_version, told[-1].who, told[-1].run_id) != asked:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(
                "insert into model_output.alias_change (model_name, alias, from_version, to_version, who,"
                " why, gate, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s)",
                (MODEL_NAME, alias, now, to_version, who, why, table, run_id),
            )
    _name(alias, to_version)
    return True


def _name(alias: str, version: str) -> None:
    client().set_registered_model_alias(MODEL_NAME, alias, version)


@contextmanager
def _alone(connection: Any) -> Iterator[None]:
    """Hold the lock of alias moves for a session, over the transactions within."""
    with connection.transaction():
        connection.execute("select pg_advisory_lock(%s)", (LOCK,))
    try:
        yield
    finally:
        with connection.transaction():
            connection.execute("select pg_advisory_unlock(%s)", (LOCK,))


def _can_serve(version: str, current: str) -> None:
    """Refuse a version that is not there, serves already, or cannot serve."""
    from caregrid.errors import CareGridError
    from mlflow.exceptions import MlflowException

    fix = "name another one; `caregrid models list` shows them"
    if version == current:
        raise CareGridError(f"version {version} is the champion already", where=MODEL_NAME, fix=fix)
    try:
        found = by_version(version)
    except MlflowException as error:
        raise CareGridError(f"there is no version {version}", where=MODEL_NAME, fix=fix) from error
    if not found.serves:
        raise CareGridError(f"version {version} may serve no grain", where=MODEL_NAME, fix=fix)
    found.settings  # noqa: B018
