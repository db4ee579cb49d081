"""The services of CareGrid: which they are, in which order they start, and how they stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable

import psycopg

from caregrid import paths, ports
from caregrid.database import connect, migrate, server
from caregrid.errors import CareGridError
from caregrid.platform import airflow_client, docs_site, environment, processes
from caregrid.platform.processes import Service

# Stopped in this order: who gives work first, then who does it, then who answers.
_STOP_ORDER = ("airflow-scheduler", "airflow-dag-processor", "airflow-api-server", "mlflow", "docs")
# One writer of the served tables at a time: the build, or what follows a forecast.
POOLS = {"warehouse_write": (1, "Whoever builds or publishes tables of the warehouse; one at a time.")}


def start_database() -> None:
    """Start PostgreSQL, unless somebody else runs it."""
    if not server.is_external():
        server.start()


def migrate_airflow() -> bool:
    """Bring Airflow's own tables to the installed version, 8–15 s at first; return whether they are new.

    Raises:
        CareGridError: `airflow db migrate` failed; the end of its log is in the message.
    """
    with psycopg.connect(connect.dsn("airflow")) as connection:
        known = connection.execute("select to_regclass('public.dag_run') is not null").fetchone()
    log = paths.var("logs", "airflow-migrate.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            cwd=paths.ROOT, env=environment.environment(), stdout=stream, stderr=stream, check=False,
        )  # fmt: skip
    if done.returncode:
        ending = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise CareGridError(
            f"airflow db migrate failed\n{ending}",
            where=str(log),
            fix="see to the cause in its last lines, then `make up` again: it goes on where it stopped",
        )
    return not (known and known[0])


def migrate_warehouse() -> list[str]:
    """Apply the warehouse's numbered migrations; return those that were new."""
    return migrate.migrate(connect.dsn("owner"))


def start_mlflow() -> Service:
    """Start the MLflow server, which makes its tables the first time. Does not wait."""
    port = _port("mlflow")
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    return _start("mlflow", command, f"http://127.0.0.1:{port}/health")


def start_docs() -> Service:
    """Start the server of the generated documentation. Does not wait."""
    docs_site.write_index()
    port = _port("docs")
    command = [sys.executable, "-m", "caregrid.platform.docs_site", str(port)]
    return _start("docs", command, f"http://127.0.0.1:{port}/")


def start_airflow(fresh: bool = False) -> None:
    """Start Airflow and wait for it: the API and the DAG processor, then the pools, then the scheduler.

    Tasks that the scheduler queues before the API answers fail, hence the order.

    Args:
        fresh: there is no run yet that the scheduler could queue; all start at once, to save seconds.
    """
    port = _port("airflow", "airflow-api-server")
    api = _start("airflow-api-server", _airflow("api-server"), f"http://127.0.0.1:{port}/api/v2/version")
    processor = _start("airflow-dag-processor", _airflow("dag-processor"))
    # Task logs are read from the disk they lie on; no second server needs to hand them out.
    command = _airflow("scheduler", "--skip-serve-logs")
    if fresh:
        _start("airflow-scheduler", command)
    wait_all([api, processor])
    client = airflow_client.sign_in()
    for name, (slots, description) in POOLS.items():
        client.ensure_pool(name, slots, description)
    processes.wait(_start("airflow-scheduler", command, is_ready=client.scheduler_is_healthy))


def stop_all() -> list[str]:
    """Stop everything that this var directory has started; return the names of what ran."""
    stopped = [name for name in _STOP_ORDER if processes.stop(name)]
    if not server.is_external() and server.stop():
        stopped.append("postgres")
    return stopped


def is_up() -> bool:
    """Whether Airflow runs already, on tables of its version."""
    return processes.is_running("airflow-api-server") and processes.is_running("airflow-scheduler")


def running() -> list[str]:
    """Return the names of what runs now."""
    names = [name for name in _STOP_ORDER if processes.is_running(name)]
    return [*names, "postgres"] if not server.is_external() and server.is_running() else names


def restarts() -> list[str]:
    """Say of each service that died and was started again how often, when and how it died last."""
    told = []
    for name in _STOP_ORDER:
        notes = processes.kept(name)
        if notes and (notes.restarts or not notes.is_alive):
            often = "waits to be started again" if not notes.is_alive else f"restarts: {notes.restarts}"
            log = paths.var("logs", f"{name}.log")
            told.append(f"{name}: {often}; last ended {notes.ended_at or 'now'} {notes.how}; see {log}")
    return told


def addresses() -> dict[str, str]:
    """Return {what: address} of what runs and people open in a browser."""
    served_by = {"airflow": "airflow-api-server", "mlflow": "mlflow", "docs": "docs"}
    known = {name: ports.known(name) for name, service in served_by.items() if processes.is_running(service)}
    return {
        name: f"http://127.0.0.1:{port}{ports.FIRST_PAGE.get(name, '')}"
        for name, port in known.items()
        if port
    }


def wait_all(services: Iterable[Service]) -> None:
    """Wait until each is ready."""
    for service in services:
        processes.wait(service)


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _port(name: str, service: str | None = None) -> int:
    """Return the port of a service: the one it listens on where it runs, a free one where it does not."""
    if processes.is_running(service or name):
        return ports.known(name) or ports.choose(name)
    return ports.choose(name)


def _start(
    name: str, command: list[str], url: str = "", is_ready: Callable[[], bool] | None = None
) -> Service:
    """Start a service that is ready when its address answers, or by another sign; at once without either."""
    ready = is_ready or (lambda: not url or processes.serves(name, url))
    service = Service(name, command, environment.environment(), ready)
    processes.start(service)
    return service
