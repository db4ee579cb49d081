"""The settings that keep every tool silent and within var/, whatever the user's shell says.

Any command needs them before it imports a library: tools read them once, when they are imported.
"""

from __future__ import annotations

import logging
import os

from caregrid import paths

# Each is read by one tool before its first message home.
_SILENCE = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "False",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_ENV_CREATION": "true",
    "OTEL_SDK_DISABLED": "true",
    "SCARF_ANALYTICS": "false",
    "SCARF_NO_ANALYTICS": "true",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
_HOMES = {
    "HOME": ("home",),
    "XDG_CACHE_HOME": ("home", ".cache"),
    "XDG_CONFIG_HOME": ("home", ".config"),
    "XDG_DATA_HOME": ("home", ".local", "share"),
    "XDG_STATE_HOME": ("home", ".local", "state"),
    "XDG_RUNTIME_DIR": ("run",),
    "TMPDIR": ("tmp",),
    "MPLCONFIGDIR": ("home", ".config", "matplotlib"),
    "NUMBA_CACHE_DIR": ("home", ".cache", "numba"),
    "DBT_TARGET_PATH": ("dbt", "target"),
    "DBT_LOG_PATH": ("logs", "dbt"),
}


# They log whole addresses and headers of requests, at INFO or DEBUG: a redirect's address may be signed, and
# so open what it leads to for whoever reads the log.
_TALKATIVE = ("httpx", "httpcore", "urllib3", "botocore", "boto3", "s3transfer")


def quiet() -> dict[str, str]:
    """Return the settings that keep tools silent and within var/; their directories are made."""
    settings = dict(_SILENCE)
    for name, parts in _HOMES.items():
        directory = paths.var(*parts).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        settings[name] = str(directory)
    settings |= {
        "CAREGRID_VAR": str(paths.var().resolve()),
        "MPLBACKEND": "Agg",
        # The checkout holds no files that a run has written; the libraries were compiled when installed.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "TZ": "UTC",
        # A proxy of the user's shell must not see what passes between our own services.
        "NO_PROXY": _without_proxy(),
        "no_proxy": _without_proxy(),
    }
    return settings


def apply_quiet() -> None:
    """Set `quiet()` in this process, before it imports any of the tools."""
    os.environ.update(quiet())
    hush()


def hush() -> None:
    """Keep addresses and headers of requests out of every log of this process, whatever its level.

    What asks servers for something calls it: Airflow's `namespace_levels` does not reach these loggers.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_proxy() -> str:
    own = ["127.0.0.1", "localhost", "::1"]
    theirs = [name.strip() for name in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",")]
    return ",".join([*own, *(name for name in theirs if name and name not in own)])
