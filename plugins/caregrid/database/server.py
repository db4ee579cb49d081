"""The PostgreSQL beside the checkout: makes its cluster, starts it, stops it, keeps its passwords.

Where CAREGRID_DSN_OWNER or CAREGRID_SECRETS is set, somebody else runs the server and nothing here is needed.
Which PostgreSQL it is, caregrid.database.binaries knows.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from caregrid import paths, ports
from caregrid.database import roles
from caregrid.database.binaries import account_to_run_as, find, place, run_as
from caregrid.database.connect import secrets_file
from caregrid.errors import CareGridError

_START_SECONDS = 60.0
# What a server says that neither takes connections nor has ended; libpq gives no code for it.
_STOPPING = re.compile(r"the database system is|Connection refused|server closed the connection")
_SAFE = {"fsync": "on"}
# For clusters that live as long as a test run and are thrown away after a crash.
_FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_processes: dict[Path, subprocess.Popen[bytes]] = {}


def is_external() -> bool:
    """Whether somebody else runs the server (CAREGRID_DSN_OWNER or CAREGRID_SECRETS is set)."""
    return "CAREGRID_DSN_OWNER" in os.environ or "CAREGRID_SECRETS" in os.environ


def start(durable: bool = True) -> int:
    """Make the cluster where there is none, start it where it does not run, set up roles; return its port.

    Args:
        durable: False gives up safety against a crash of the machine, for tests.

    Raises:
        CareGridError: no binaries, no account to run as, or the server does not come up (with its log's end).
    """
    for directory in ("run", "logs", "secrets"):
        paths.var(directory).mkdir(parents=True, exist_ok=True)
    paths.var("secrets").chmod(0o700)
    with _lock():
        account = account_to_run_as()
        binaries, home = place(account)
        data = home / "data"
        passwords = _passwords()
        if (data / "PG_VERSION").exists() and (port := _answering_port(data, passwords["admin"])):
            return port
        if not (data / "PG_VERSION").exists():
            _initdb(binaries, data, account, passwords["admin"], durable)
        port = _launch(binaries, data, account, durable, passwords["admin"])
        _write_secrets(passwords, port)
        with psycopg.connect(
            _dsn("postgres", passwords["admin"], port, "postgres"), autocommit=True
        ) as admin:
            roles.provision(admin, passwords)
        return port


def stop(immediately: bool = False) -> bool:
    """Stop the server of this var directory; return whether one was running.

    Args:
        immediately: do not write a checkpoint; for clusters about to be deleted.
    """
    data = paths.var("postgres", "data")
    pid = _running_pid(data)
    if pid is None:
        return False
    os.kill(pid, signal.SIGQUIT if immediately else signal.SIGINT)
    process = _processes.pop(data.resolve(), None)
    deadline = time.monotonic() + _START_SECONDS
    while _running_pid(data) is not None and time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            break
        time.sleep(0.05)
    if process is not None:
        process.wait(timeout=_START_SECONDS)
    return True


def is_running() -> bool:
    """Whether the server of this var directory runs."""
    return _running_pid(paths.var("postgres", "data")) is not None


def delete() -> None:
    """Stop the server and remove the cluster, its copy of the binaries and its passwords."""
    stop(immediately=True)
    home = paths.var("postgres")
    if home.is_symlink():
        shutil.rmtree(home.resolve().parent, ignore_errors=True)
        home.unlink()
    elif home.exists():
        shutil.rmtree(home)
    secrets_file().unlink(missing_ok=True)


def psql() -> Path | None:
    """Return the path of psql beside the server's binaries, if it is there."""
    return program("psql")


def program(name: str) -> Path | None:
    """Return the path of one of PostgreSQL's programs beside the server's binaries, if it is there."""
    path = find() / name
    return path if path.exists() else None


# --- making and running the cluster


def _environment() -> dict[str, str]:
    # Nothing of the caller's PG* settings may reach the server.
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TZ": "UTC", "LC_ALL": "C", "PGTZ": "UTC"}


def _initdb(
    binaries: Path, data: Path, account: pwd.struct_passwd | None, password: str, durable: bool
) -> None:
    version = subprocess.run(
        [binaries / "postgres", "--version"],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        **run_as(account),
    ).stdout
    major = int(re.search(r"(\d+)", version)[1])  # type: ignore[index]
    # Case and order of non-ASCII letters must not depend on the locales that happen to be installed.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major >= 17 else []
    password_file = data.parent / "initial-password"
    password_file.touch(mode=0o600)
    try:
        password_file.write_text(password)
        if account is not None:
            os.chown(password_file, account.pw_uid, account.pw_gid)
        command = [
            str(binaries / "initdb"), f"--pgdata={data}", "--username=postgres", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", *locale,
            *([] if durable else ["--no-sync"]),
        ]  # fmt: skip
        done = subprocess.run(
            command,
            cwd="/",
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            **run_as(account),
        )
    finally:
        password_file.unlink()
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise CareGridError(
            f"initdb failed: {done.stderr.strip() or done.stdout.strip()}",
            where=str(data),
            fix="nothing is left of it: see to the cause that it names (room on the disk, the permissions of "
            "the directory, memory), then start again",
        )


def _settings(port: int, durable: bool) -> dict[str, str]:
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    shared_mb = max(64, min(512, memory_mb // 16))
    return {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        # A socket path over about 100 characters prevents the start, and a checkout may lie deep.
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "max_connections": "200",
        "shared_buffers": f"{shared_mb}MB" if durable else "64MB",
        "effective_cache_size": f"{max(256, memory_mb // 3)}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": "128MB",
        # Containers often give 64 MB of /dev/shm, which one parallel query can exhaust.
        "dynamic_shared_memory_type": "mmap",
        # No replica reads this log: loads into new tables and index builds need not write it.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # Queries here are short and many; compiling them costs more than it saves.
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_duration_statement": "5s",
        "log_parameter_max_length": "0",
        **(_SAFE if durable else _FAST),
    }


def _launch(
    binaries: Path, data: Path, account: pwd.struct_passwd | None, durable: bool, password: str
) -> int:
    _disown(data)
    # Another program may have taken the port in between, or a killed server's last query still holds its
    # memory; any other cause shows itself again.
    for pause in (0, 1, 10):
        time.sleep(pause)
        port = ports.choose("postgres")
        settings = [
            item for name, value in _settings(port, durable).items() for item in ("-c", f"{name}={value}")
        ]
        # The log is opened by us and inherited: the server's account need not reach var/logs.
        with paths.var("logs", "postgres.log").open("ab") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, *settings],
                cwd="/", env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **run_as(account),
            )  # fmt: skip
        _processes[data.resolve()] = process
        if _answers(process, port, password):
            return port
    log_file = paths.var("logs", "postgres.log")
    ending = "\n".join(log_file.read_text(errors="replace").splitlines()[-10:])
    raise CareGridError(
        f"PostgreSQL did not start\n{ending}",
        where=str(log_file),
        fix="see to the cause in its last lines (room on the disk, memory, another server on these files), "
        "then start again: nothing is lost by trying",
    )


def _disown(data: Path) -> None:
    """Let a new server start where the last one was killed and its number still stands for something.

    PostgreSQL takes its lock file for a living server's as long as the number in it belongs to any process:
    to another program after a restart of the machine, or to the killed server itself where nobody collects
    the dead, as in a container without an init. The number of the process that starts it does not count, and
    whether the old server's shared memory is still in use it looks up all the same.
    """
    file = data / "postmaster.pid"
    if file.exists() and _running_pid(data) is None:
        _, *rest = file.read_text().splitlines() or [""]
        file.write_text("\n".join([str(os.getpid()), *rest, ""]))


def _answers(process: subprocess.Popen[bytes], port: int, password: str) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(_dsn("postgres", password, port, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False


def _answering_port(data: Path, password: str) -> int | None:
    """Return the port of the running server, None where none runs; one that is stopping is waited for."""
    deadline = time.monotonic() + _START_SECONDS
    while port := _running_port(data):
        try:
            psycopg.connect(_dsn("postgres", password, port, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if not _STOPPING.search(str(error)) or time.monotonic() > deadline:
                return port
            time.sleep(0.1)
        else:
            return port
    return None


def _running_pid(data: Path) -> int | None:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return None
    # After a crash the number may belong to another program.
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists() and str(data.resolve()).encode() not in command.read_bytes():
        return None
    return pid


def _running_port(data: Path) -> int | None:
    if _running_pid(data) is None:
        return None
    lines = (data / "postmaster.pid").read_text().splitlines()
    return int(lines[3]) if len(lines) > 3 else None


# --- passwords


def _dsn(login: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{login}:{password}@127.0.0.1:{port}/{database}"


def _passwords() -> dict[str, str]:
    """Return {role: password}: those already issued, new ones for the rest."""
    file = secrets_file()
    known = json.loads(file.read_text()) if file.exists() else {}
    issued = {role: psycopg.conninfo.conninfo_to_dict(dsn)["password"] for role, dsn in known.items()}
    return {role: str(issued.get(role) or secrets.token_urlsafe(24)) for role in ("admin", *roles.LOGINS)}


def _write_secrets(passwords: dict[str, str], port: int) -> None:
    dsns = {
        role: _dsn(login, passwords[role], port, database) for role, (login, database) in roles.LOGINS.items()
    }
    dsns["admin"] = _dsn("postgres", passwords["admin"], port, "postgres")
    file = secrets_file()
    temporary = file.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(dsns, stream, indent=1)
    temporary.replace(file)


@contextmanager
def _lock() -> Iterator[None]:
    """Two starters at once: the second waits and finds a running server."""
    with paths.var("run", "postgres.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
