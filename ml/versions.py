"""What a run was made with: the code, the lock, and names for runs that equal inputs make equal."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent


def source_hash() -> str:
    """Return 12 hex digits over this package's source, so that uncommitted changes show as well."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def code_version() -> str:
    """Return `<git commit>+<source hash>`; the commit is `unknown` outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "-C", str(CHECKOUT), "rev-parse", "--short=12", "HEAD"],
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
        commit = found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = "unknown"
    return f"{commit}+{source_hash()}"


def lock_sha256() -> str:
    """Return the sha256 of requirements.lock, `unknown` where there is none."""
    lock = CHECKOUT / "requirements.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "unknown"


def run_id(kind: str, *parts: Any) -> str:
    """Return a name that the same kind and parts always get, so that a repeated run is recognised."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
