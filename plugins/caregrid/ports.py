"""Which port each service listens on: the preferred one, else a free one, remembered in var/run."""

from __future__ import annotations

import json
import socket

from caregrid import paths

# PostgreSQL prefers none: 5432 is often somebody's, and its address is printed by `make bi-url`.
PREFERRED = {"airflow": 8080, "mlflow": 5000, "docs": 8081}
# MLflow opens with what it has for language models; this is its view of training.
FIRST_PAGE = {"mlflow": "/#/experiments?workflowType=machine_learning"}


def choose(service: str) -> int:
    """Return a port that is free now, the remembered or preferred one if possible, and remember it."""
    remembered = _remembered()
    taken = {port for name, port in remembered.items() if name != service}
    for port in (remembered.get(service), PREFERRED.get(service)):
        if port and port not in taken and _is_free(port):
            break
    else:
        port = _next_free(PREFERRED.get(service, 0), taken)
    remembered[service] = port
    file = paths.var("run", "ports.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(remembered, indent=1, sort_keys=True))
    return port


def known(service: str) -> int | None:
    """Return the port remembered for a service, None when it never started."""
    return _remembered().get(service)


def _remembered() -> dict[str, int]:
    try:
        return dict(json.loads(paths.var("run", "ports.json").read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port in TIME_WAIT is free for a server, which sets this too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _next_free(preferred: int, taken: set[int]) -> int:
    for port in range(preferred + 1, preferred + 50) if preferred else ():
        if port not in taken and _is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
