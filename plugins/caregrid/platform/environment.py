"""The complete environment of a service: the quiet one of every tool, and what Airflow and MLflow need.

Every value is set outright, so that a setting of the user's shell cannot change what a run does.
"""

from __future__ import annotations

import os
import socket

from caregrid import paths, ports
from caregrid.database import connect
from caregrid.platform import accounts
from caregrid.quiet import quiet


def environment() -> dict[str, str]:
    """Return the whole environment for a service: this process's, made quiet, with the addresses and secrets.

    It holds passwords: hand it to a process, never print or log it.

    Raises:
        CareGridError: the database has not been set up yet.
    """
    return dict(os.environ) | quiet() | _airflow() | _mlflow()


def _airflow() -> dict[str, str]:
    home = paths.var("airflow").resolve()
    logs = paths.var("logs").resolve()
    for directory in (home, logs):
        directory.mkdir(parents=True, exist_ok=True)
    port = ports.known("airflow") or ports.choose("airflow")
    keys = accounts.keys()
    options = {
        "core": {
            "dags_folder": str(paths.ROOT / "dags"),
            "plugins_folder": str(paths.ROOT / "plugins"),
            "load_examples": "False",
            "executor": "LocalExecutor",
            # It starts this many workers of 150 MB each, 32 by default; some tasks only wait.
            "parallelism": str(max(3, min(8, (os.cpu_count() or 2) + 1))),
            "fernet_key": keys["fernet"],
            "default_task_retries": "2",
            "default_timezone": "utc",
            # The default asks the name service who we are.
            "hostname_callable": "socket.gethostname",
            "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in accounts.ROLES.items()),
            "simple_auth_manager_passwords_file": str(accounts.passwords_file()),
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
        },
        "database": {
            "sql_alchemy_conn": connect.sqlalchemy_url("airflow"),
            "sql_alchemy_conn_async": connect.sqlalchemy_url("airflow", "asyncpg"),
        },
        "api": {
            "host": "127.0.0.1",
            "port": str(port),
            "base_url": f"http://127.0.0.1:{port}",
            "secret_key": keys["session"],
            "workers": "1",
        },
        "api_auth": {"jwt_secret": keys["token"], "jwt_issuer": "caregrid"},
        "scheduler": {
            # A killed supervisor is otherwise noticed after five minutes.
            "task_instance_heartbeat_timeout": "30",
            "scheduler_idle_sleep_time": "0.5",
        },
        # On a machine that is busy starting everything the API takes longer than the 5 s it is given.
        "workers": {"execution_api_timeout": "30"},
        "dag_processor": {"refresh_interval": "30", "min_file_process_interval": "30"},
        "logging": {
            "base_log_folder": str(logs / "airflow"),
            "dag_processor_child_process_log_directory": str(logs / "dag_processor"),
            "colored_console_log": "False",
            # Hundreds of lines about its own plugins at each import.
            "namespace_levels": "great_expectations=WARNING",
        },
    }
    variables = {
        f"AIRFLOW__{section.upper()}__{name.upper()}": value
        for section, values in options.items()
        for name, value in values.items()
    }
    return variables | {"AIRFLOW_HOME": str(home), "HOSTNAME": socket.gethostname()}


def _mlflow() -> dict[str, str]:
    artifacts = paths.var("mlflow", "artifacts").resolve()
    artifacts.mkdir(parents=True, exist_ok=True)
    return {
        # The server's own setting; a command line would show the password to every user of the machine.
        "MLFLOW_BACKEND_STORE_URI": connect.sqlalchemy_url("mlflow"),
        "MLFLOW_REGISTRY_STORE_URI": connect.sqlalchemy_url("mlflow"),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": artifacts.as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
