"""The passwords and keys of an installation on servers: one file each, made once, handed over as secrets."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from urllib.parse import quote

from caregrid.database.roles import LOGINS
from caregrid.errors import CareGridError
from caregrid.platform import accounts

# Every file that docker-compose.yaml mounts, with what it is.
FILES = {
    "postgres_password": "of PostgreSQL's superuser; only the database and its set-up get it",
    "database.json": "how each role of ours connects, as {role: address}",
    "keys.json": "what Airflow encrypts and signs with",
    "airflow_accounts.json": "the accounts of the Airflow UI, as {account: password}",
    "object_store_user": "the name by which the object store is opened",
    "object_store_password": "its password",
    "redis_password": "of Celery's broker",
    "openlineage_api_key": "of the server that lineage is sent on to; empty where it wants none",
}


def write(folder: Path, host: str = "postgres", port: int = 5432) -> list[str]:
    """Write the secrets that are not there yet; return the names of the new ones.

    The folder is closed to everybody but its owner; the files in it are readable, because each service reads
    its own as a user of its own, through a mount of that one file.

    Args:
        folder: where; made if absent.
        host: of PostgreSQL, as the services name it.
        port: of PostgreSQL.

    Raises:
        CareGridError: the folder is open to others and not ours to close.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        folder.chmod(0o700)
    except PermissionError as error:
        raise CareGridError(
            "its permissions cannot be set", where=str(folder), fix="give a folder of your own"
        ) from error
    contents = {
        "postgres_password": _word(),
        "database.json": json.dumps(
            {
                role: f"postgresql://{login}:{quote(_word(), safe='')}@{host}:{port}/{database}"
                for role, (login, database) in LOGINS.items()
            },
            indent=1,
        ),
        "keys.json": json.dumps(accounts.new_keys(), indent=1),
        "airflow_accounts.json": json.dumps(accounts.new_passwords(), indent=1),
        "object_store_user": f"caregrid-{secrets.token_hex(4)}",
        "object_store_password": _word(),
        "redis_password": _word(),
        "openlineage_api_key": "",
    }
    new = [name for name in FILES if not (folder / name).exists()]
    for name in new:
        temporary = folder / f".{name}.new"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444), "w") as stream:
            stream.write(contents[name])
        temporary.chmod(0o444)
        temporary.replace(folder / name)
    return new


def _word() -> str:
    return secrets.token_urlsafe(24)
