"""The services as servers run them, each in the foreground and on its own: what docker-compose.yaml calls.

Which command a service is, how it is set up once, and how one asks whether it works. Nothing here knows of
containers: the same runs wherever the settings of `environment.Deployment` are given.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import httpx
import psycopg

from caregrid import paths, ports
from caregrid.database import connect, roles
from caregrid.errors import CareGridError
from caregrid.platform import docs_site, environment, services
from caregrid.quiet import quiet

# Airflow names in its health what we name as services.
_HEALTH = {
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}
NAMES = ("airflow-api-server", *_HEALTH, "airflow-worker", "mlflow", "docs")
# As MLflow's server does at its start; its own command `mlflow db upgrade` knows no empty database, and shows
# the password to every user of the machine.
_MLFLOW_MIGRATE = (
    "import os; from mlflow.store.db import utils; "
    "engine = utils.create_sqlalchemy_engine_with_retry(os.environ['MLFLOW_BACKEND_STORE_URI']); "
    "utils._safe_initialize_tables(engine); utils._upgrade_db(engine)"
)


def command(name: str) -> list[str]:
    """Return the command line of a service; it holds no secret.

    Raises:
        CareGridError: there is no such service.
    """
    airflow = [sys.executable, "-m", "airflow"]
    listen = environment.deployment().listen
    if name == "mlflow":
        address = ["--host", listen, "--port", str(ports.PREFERRED["mlflow"])]
        return [sys.executable, "-m", "mlflow", "server", *address, "--workers", "1"]
    if name == "docs":
        return [sys.executable, "-m", docs_site.__name__, str(ports.PREFERRED["docs"]), listen]
    if name == "airflow-worker":
        # Workers that greet each other need minutes where one has died; the logs lie where all can read them.
        options = ["--skip-serve-logs", "--without-gossip", "--without-mingle"]
        return [*airflow, "celery", "worker", "--celery-hostname", worker_name(), *options]
    if name in ("airflow-scheduler", "airflow-triggerer"):
        return [*airflow, name.removeprefix("airflow-"), "--skip-serve-logs"]
    if name in NAMES:
        return [*airflow, name.removeprefix("airflow-")]
    raise CareGridError(f"there is no service {name!r}", fix=f"services there are: {', '.join(NAMES)}")


def run(name: str) -> None:
    """Become a service: this process turns into it, so that signals reach it."""
    program = command(name)
    # Pages need no password of anything.
    settings = dict(os.environ) | quiet() if name == "docs" else environment.environment()
    os.chdir(paths.ROOT)
    os.execve(program[0], program, settings)  # noqa: S606 - our own command line, no shell in it


def worker_name() -> str:
    """Return the name of this machine's worker; CAREGRID_WORKER tells several on one machine apart."""
    return f"{os.environ.get('CAREGRID_WORKER', 'celery')}@{os.uname().nodename}"


def set_up() -> list[str]:
    """Make ready what all services need, once, before any of them starts; safe to run again.

    Roles and databases, the tables of the warehouse, of Airflow and of MLflow, Airflow's pools and accounts,
    the buckets of the object store. Returns what was done, in words.

    Raises:
        CareGridError: a step failed, with the end of what it said.
    """
    done = [_provision()]
    done.append(f"warehouse: {len(services.migrate_warehouse())} new migrations")
    done.append(f"Airflow's tables: {'made' if services.migrate_airflow() else 'up to date'}")
    for name, (slots, description) in services.POOLS.items():
        _call("-m", "airflow", "pools", "set", name, str(slots), description)
        done.append(f"pool {name} of {slots}")
    if environment.deployment().sign_in == "fab":
        told = _call("-m", "caregrid.platform.fab_accounts").splitlines()
        done += [line for line in told if line.startswith("account ")]
    _call("-c", _MLFLOW_MIGRATE)
    done.append("MLflow's tables")
    done += _buckets()
    return done


def is_healthy(name: str) -> bool:
    """Whether a service answers, or does what it is there for; asked on the machine that it runs on.

    Raises:
        CareGridError: there is no such service.
    """
    place = environment.deployment()
    if name == "airflow-worker":
        return _worker_answers()
    local = {
        "airflow-api-server": f":{place.airflow_port}/api/v2/version",
        "mlflow": f":{ports.PREFERRED['mlflow']}/health",
        "docs": f":{ports.PREFERRED['docs']}/",
    }
    if name in local:
        return services.processes.answers(f"http://127.0.0.1{local[name]}")
    if name not in _HEALTH:
        raise CareGridError(f"there is no service {name!r}", fix=f"services there are: {', '.join(NAMES)}")
    # They serve no address of their own; the API server knows when each last gave a sign of life.
    try:
        told = httpx.get(f"{place.airflow_url}/api/v2/monitor/health", timeout=10.0, trust_env=False)
        return bool(told.json()[_HEALTH[name]]["status"] == "healthy")
    except (httpx.HTTPError, ValueError, KeyError):
        return False


def _worker_answers() -> bool:
    # It bears no types, and only servers have it.
    celery = importlib.import_module("celery")
    application = celery.Celery(broker=environment.broker_url(), set_as_current=False)
    try:
        answers = application.control.ping(destination=[worker_name()], timeout=5.0)
    except (OSError, importlib.import_module("kombu.exceptions").OperationalError):
        return False
    finally:
        application.close()
    return bool(answers)


def _provision() -> str:
    """Make the roles and databases with the passwords that the secret gives them."""
    parts = {role: urlsplit(connect.dsn(role)) for role in roles.LOGINS}
    passwords = {role: unquote(part.password or "") for role, part in parts.items()}
    server = parts["owner"]
    superuser = paths.secrets("postgres_password").read_text().strip()
    try:
        with psycopg.connect(
            host=server.hostname, port=server.port, user="postgres", password=superuser, dbname="postgres",
            autocommit=True,
        ) as admin:  # fmt: skip
            roles.provision(admin, passwords)
    except psycopg.OperationalError as error:
        raise CareGridError(
            f"cannot set up the roles: {str(error).strip().splitlines()[-1]}",
            where=f"{server.hostname}:{server.port}",
            fix="see that PostgreSQL runs, with the superuser postgres and the secret postgres_password",
        ) from error
    return f"{len(roles.LOGINS)} roles, {len(roles.DATABASES)} databases"


def _buckets() -> list[str]:
    """Make the buckets for MLflow's models and for landed files, unless they are there or somebody else's."""
    addresses = (environment.deployment().artifacts, os.environ.get("CAREGRID_LANDING", ""))
    wanted = [urlsplit(address).netloc for address in addresses if address]
    # Another connection's bucket is for its owner to make.
    names = [name for name in dict.fromkeys(wanted) if "@" not in name]
    if not names or not environment.deployment().object_store:
        return []
    from caregrid.landing import objects  # boto3, which asking for health does without

    where = "servers init"
    client = objects.client_of(objects.own_connection(where), where)
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for name in names:
        if name not in there:
            client.create_bucket(Bucket=name)
    return [f"bucket {name} {'is there' if name in there else 'made'}" for name in names]


def _call(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=paths.ROOT, env=environment.environment(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CareGridError(
            f"{' '.join(arguments[:4])} failed\n{(done.stdout + done.stderr)[-2000:]}",
            where="servers init",
            fix="see to the cause in its last lines, then `docker compose up -d` again: it is safe to repeat",
        )
    return done.stdout
