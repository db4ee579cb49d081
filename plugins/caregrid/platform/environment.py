"""The complete environment of a service: the quiet one of every tool, and what Airflow and MLflow need.

Every value is set outright, so that a setting of the user's shell cannot change what a run does. What differs
between one machine and servers is a `Deployment`, read from CAREGRID_* here and nowhere else.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from caregrid import paths, ports
from caregrid.database import connect
from caregrid.errors import CareGridError
from caregrid.platform import accounts
from caregrid.quiet import quiet

_CHOICES = {"CAREGRID_EXECUTOR": ("LocalExecutor", "CeleryExecutor"), "CAREGRID_SIGN_IN": ("simple", "fab")}
_FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


@dataclass(frozen=True)
class Deployment:
    """How the services are laid out: by default all on this machine, for whoever sits at it.

    Attributes:
        executor: CAREGRID_EXECUTOR, LocalExecutor or CeleryExecutor.
        sign_in: CAREGRID_SIGN_IN, simple (accounts in a file) or fab (accounts in Airflow's database).
        listen: CAREGRID_LISTEN, the address that servers bind; another than loopback needs fab.
        airflow_url: CAREGRID_AIRFLOW_URL, where the other services reach Airflow's API server.
        public_url: CAREGRID_AIRFLOW_PUBLIC_URL, where people do.
        broker: CAREGRID_BROKER, redis://host:port/number without its password (the secret `redis_password`).
        artifacts: CAREGRID_ARTIFACTS, s3://bucket for MLflow's models; empty for var/mlflow.
        object_store: CAREGRID_OBJECT_STORE, http(s) address of what answers for that bucket.
    """

    executor: str
    sign_in: str
    listen: str
    airflow_url: str
    public_url: str
    broker: str
    artifacts: str
    object_store: str

    @property
    def airflow_port(self) -> int:
        """The port that Airflow's API server listens on."""
        return urlsplit(self.airflow_url).port or 80

    @property
    def is_celery(self) -> bool:
        """Whether tasks go to workers of their own."""
        return self.executor == "CeleryExecutor"


def deployment() -> Deployment:
    """Return how this installation is laid out.

    Raises:
        CareGridError: a setting is none of those there are, or they do not go together.
    """
    settings = {name: os.environ.get(name) or among[0] for name, among in _CHOICES.items()}
    for name, among in _CHOICES.items():
        if settings[name] not in among:
            raise CareGridError(
                f"{settings[name]!r} is not known", where=name, fix=f"set {' or '.join(among)}"
            )
    listen = os.environ.get("CAREGRID_LISTEN") or "127.0.0.1"
    if listen != "127.0.0.1" and settings["CAREGRID_SIGN_IN"] == "simple":
        raise CareGridError(
            f"Airflow would listen on {listen} with accounts that are made for one machine",
            where="CAREGRID_LISTEN",
            fix="set CAREGRID_SIGN_IN=fab, or leave CAREGRID_LISTEN out",
        )
    airflow_url = os.environ.get("CAREGRID_AIRFLOW_URL") or (
        f"http://127.0.0.1:{ports.known('airflow') or ports.choose('airflow')}"
    )
    found = Deployment(
        settings["CAREGRID_EXECUTOR"],
        settings["CAREGRID_SIGN_IN"],
        listen,
        airflow_url.rstrip("/"),
        (os.environ.get("CAREGRID_AIRFLOW_PUBLIC_URL") or airflow_url).rstrip("/"),
        os.environ.get("CAREGRID_BROKER", ""),
        os.environ.get("CAREGRID_ARTIFACTS", "").rstrip("/"),
        os.environ.get("CAREGRID_OBJECT_STORE", ""),
    )
    if found.is_celery and not found.broker:
        raise CareGridError(
            "CeleryExecutor needs a broker", where="CAREGRID_BROKER", fix="set redis://host:6379/0"
        )
    return found


def environment() -> dict[str, str]:
    """Return the whole environment for a service: this process's, made quiet, with the addresses and secrets.

    It holds passwords: hand it to a process, never print or log it.

    Raises:
        CareGridError: the database has not been set up yet, or a setting of the deployment is wrong.
    """
    place = deployment()
    return dict(os.environ) | quiet() | _airflow(place) | _mlflow(place)


def broker_url() -> str:
    """Return the address of Celery's broker with its password."""
    broker = urlsplit(deployment().broker)
    password = quote(paths.secrets("redis_password").read_text().strip(), safe="")
    return broker._replace(netloc=f":{password}@{broker.netloc}").geturl()


def _airflow(place: Deployment) -> dict[str, str]:
    home = paths.var("airflow").resolve()
    logs = paths.var("logs").resolve()
    for directory in (home, logs):
        directory.mkdir(parents=True, exist_ok=True)
    keys = accounts.keys()
    # A task needs 150 MB at least, and some only wait.
    slots = str(max(3, min(8, (os.cpu_count() or 2) + 1)))
    options = {
        "core": {
            "dags_folder": str(paths.ROOT / "dags"),
            "plugins_folder": str(paths.ROOT / "plugins"),
            "load_examples": "False",
            "executor": place.executor,
            # LocalExecutor starts this many workers, 32 by default; Celery's bring their own slots.
            "parallelism": "32" if place.is_celery else slots,
            "fernet_key": keys["fernet"],
            "default_task_retries": "2",
            "default_timezone": "utc",
            # The default asks the name service who we are.
            "hostname_callable": "socket.gethostname",
            "execution_api_server_url": f"{place.airflow_url}/execution/",
        },
        "database": {
            "sql_alchemy_conn": connect.sqlalchemy_url("airflow"),
            "sql_alchemy_conn_async": connect.sqlalchemy_url("airflow", "asyncpg"),
        },
        "api": {
            "host": place.listen,
            "port": str(place.airflow_port),
            "base_url": place.public_url,
            "secret_key": keys["session"],
            "workers": "1",
        },
        "api_auth": {"jwt_secret": keys["token"], "jwt_issuer": "caregrid"},
        "scheduler": {
            # A killed supervisor is otherwise noticed after five minutes.
            "task_instance_heartbeat_timeout": "30",
            # What a killed scheduler had queued is otherwise given out anew after five minutes.
            "orphaned_tasks_check_interval": "30",
            "scheduler_idle_sleep_time": "0.5",
        },
        # On a machine that is busy starting everything the API takes longer than the 5 s it is given.
        "workers": {"execution_api_timeout": "30"},
        "dag_processor": {"refresh_interval": "30", "min_file_process_interval": "30"},
        "logging": {
            "base_log_folder": str(logs / "airflow"),
            "dag_processor_child_process_log_directory": str(logs / "dag_processor"),
            "colored_console_log": "False",
        },
    }
    if place.sign_in == "fab":
        options["core"]["auth_manager"] = _FAB
    else:
        users = ",".join(f"{name}:{role}" for name, role in accounts.ROLES.items())
        options["core"]["simple_auth_manager_users"] = users
        options["core"]["simple_auth_manager_passwords_file"] = str(accounts.passwords_file())
    if place.is_celery:
        options["celery"] = {
            "broker_url": broker_url(),
            "result_backend": f"db+{connect.sqlalchemy_url('airflow')}",
            "worker_concurrency": slots,
        }
        # After this long without a receipt Redis gives the task to another worker: no task takes longer.
        # A lost worker is noticed much earlier, by its missing sign of life.
        options["celery_broker_transport_options"] = {"visibility_timeout": "86400"}
    variables = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": value
        for section, values in options.items()
        for name, value in values.items()
    }
    return variables | {"AIRFLOW_HOME": str(home), "HOSTNAME": socket.gethostname()}


def _mlflow(place: Deployment) -> dict[str, str]:
    settings = {
        # The server's own setting; a command line would show the password to every user of the machine.
        "MLFLOW_BACKEND_STORE_URI": connect.sqlalchemy_url("mlflow"),
        "MLFLOW_REGISTRY_STORE_URI": connect.sqlalchemy_url("mlflow"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    if not place.artifacts:
        artifacts = paths.var("mlflow", "artifacts").resolve()
        artifacts.mkdir(parents=True, exist_ok=True)
        return settings | {"MLFLOW_DEFAULT_ARTIFACT_ROOT": artifacts.as_uri()}
    return settings | {
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": place.artifacts,
        "MLFLOW_S3_ENDPOINT_URL": place.object_store,
        "AWS_ACCESS_KEY_ID": paths.secrets("object_store_user").read_text().strip(),
        "AWS_SECRET_ACCESS_KEY": paths.secrets("object_store_password").read_text().strip(),
        "AWS_DEFAULT_REGION": "us-east-1",
    }
