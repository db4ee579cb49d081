"""The accounts of the Airflow UI, one per role, and the keys that services sign with: generated once."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from pathlib import Path

from caregrid import paths

# account → role of Airflow's simple auth manager
ROLES = {"admin": "admin", "data_engineer": "op", "ml_engineer": "user", "viewer": "viewer"}


def passwords_file() -> Path:
    """Return the file {account: password}, made with one password per role where it is absent."""
    return _file("airflow_accounts.json", new_passwords())


def passwords() -> dict[str, str]:
    """Return {account: password}."""
    return dict(json.loads(passwords_file().read_text()))


def keys() -> dict[str, str]:
    """Return the keys: `fernet` (connections at rest), `session` (cookies), `token` (between services)."""
    return dict(json.loads(_file("keys.json", new_keys()).read_text()))


def new_passwords() -> dict[str, str]:
    """Return a new password for each account."""
    return {name: secrets.token_urlsafe(12) for name in ROLES}


def new_keys() -> dict[str, str]:
    """Return new keys, by the names of `keys`."""
    return {
        "fernet": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "session": secrets.token_urlsafe(32),
        "token": secrets.token_urlsafe(64),
    }


def _file(name: str, content: dict[str, str]) -> Path:
    folder = paths.secrets().resolve()
    if (folder / name).exists():
        return folder / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    file = folder / name
    # Two starters at once must agree on one set of secrets.
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            temporary = folder / f".{name}.new"
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
                json.dump(content, stream, indent=1)
            temporary.replace(file)
    return file
