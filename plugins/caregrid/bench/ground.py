"""The ground benchmarks stand on: a PostgreSQL of their own, fresh databases, what a process used at most."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from caregrid import paths
from caregrid.database import connect, migrate, roles, server
from caregrid.errors import CareGridError

TEMPLATE = "warehouse"
_numbers = itertools.count(1)
# The last words of a process are its time and its peak; whatever it says before is not ours.
_PROGRAM = """
import json, re, resource, sys, time
from pathlib import Path
def peak():
    # getrusage on Linux counts what the parent had used before this program was started; this does not.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{setup}
before = peak()
started = time.monotonic()
{work}
seconds = time.monotonic() - started
print(json.dumps([seconds, peak(), before]))
"""


@contextmanager
def own_server() -> Iterator[Path]:
    """Start a durable PostgreSQL below var/bench, and delete it and all else that was made there.

    Nothing of the developer's own database is read or written, wherever it runs.
    """
    directory = paths.var("bench").resolve()
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("CAREGRID_")]:
        del os.environ[name]
    os.environ["CAREGRID_VAR"] = str(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        server.start()
        migrate.migrate(connect.dsn("owner"))
        yield directory
    finally:
        server.delete()
        shutil.rmtree(directory, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def fresh_database() -> Iterator[str]:
    """Give a migrated warehouse that holds nothing; within, every role connects to it."""
    database = f"bench_{next(_numbers)}"
    admin_dsn = connect.dsn("admin")
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        roles.clone(admin, TEMPLATE, database)
    names = [f"CAREGRID_DSN_{role.upper()}" for role in connect.ROLES]
    for name, role in zip(names, connect.ROLES, strict=True):
        os.environ[name] = f"{connect.dsn(role).rsplit('/', 1)[0]}/{database}"
    try:
        yield database
    finally:
        for name in names:
            del os.environ[name]
        shutil.rmtree(paths.var("landing"), ignore_errors=True)
        with psycopg.connect(admin_dsn, autocommit=True) as admin:
            admin.execute(f"drop database {database} with (force)".encode())


def settle() -> None:
    """Write out what the database still holds back, so that one measurement does not pay for the last."""
    with psycopg.connect(connect.dsn("admin"), autocommit=True) as admin:
        admin.execute("checkpoint")


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Give a list that holds the seconds once the block has ended."""
    seconds: list[float] = []
    started = time.monotonic()
    yield seconds
    seconds.append(time.monotonic() - started)


def in_a_process(work: str, setup: str = "") -> tuple[float, int, int]:
    """Run Python statements in a process of their own.

    Args:
        work: what is measured.
        setup: imports and the like, which are not.

    Returns:
        Seconds of the work, peak resident bytes, and the peak when the work began.

    Raises:
        CareGridError: the process failed; with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(setup=setup, work=work)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CareGridError("a measured process failed", where="bench", fix=done.stderr.strip()[-2000:])
    seconds, peak, before = json.loads(done.stdout.strip().splitlines()[-1])
    return float(seconds), int(peak), int(before)
