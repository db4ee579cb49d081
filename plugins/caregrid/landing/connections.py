"""Credentials by name: Airflow's connections in a task, elsewhere AIRFLOW_CONN_<ID>, as Airflow reads it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from caregrid.errors import CareGridError


@dataclass(frozen=True)
class Connection:
    """One connection, as Airflow has it. Its secrets stay out of its repr."""

    name: str
    type: str
    host: str
    port: int | None
    login: str
    password: str = field(repr=False)
    schema: str
    extra: Mapping[str, Any] = field(repr=False)

    def only_host(self, url: str, where: str) -> str:
        """Return the host of a url, for which the credentials are meant.

        Raises:
            CareGridError: they are another host's; a feed's YAML cannot send them elsewhere.
        """
        host = urlsplit(url).hostname or ""
        if not self.host or host.lower() != (urlsplit(f"//{self.host.rpartition('://')[2]}").hostname or ""):
            raise CareGridError(
                f"the connection {self.name!r} is of host {self.host or '(none)'!r}, the url of {host!r}",
                where=where,
                fix="let both name the same host: credentials are sent to no other",
            )
        return host

    def refuse(self, keys: Mapping[str, str], where: str) -> None:
        """Raise CareGridError where the connection's extra asks for what is never done; keys: key → why."""
        for key, why in keys.items():
            if key in self.extra:
                raise CareGridError(
                    f"the connection {self.name!r} has {key!r} in its extra: {why}",
                    where=where,
                    fix=f"take {key!r} out of the connection's extra",
                )


def variable(name: str) -> str:
    """Return the environment variable that holds a connection."""
    return f"AIRFLOW_CONN_{name.upper()}"


def connection(name: str, where: str) -> Connection:
    """Return a connection by its id.

    Args:
        where: the feed's YAML that names it, for the message.

    Raises:
        CareGridError: it is not there, or is written in no form that Airflow reads.
    """
    from airflow.sdk import Connection as AirflowConnection

    given = os.environ.get(variable(name))
    try:
        if _in_a_task():
            found = AirflowConnection.get(name)
        elif given:
            as_json = given.lstrip().startswith("{")
            found = (
                AirflowConnection.from_json(given, conn_id=name)
                if as_json
                else AirflowConnection.from_uri(given, conn_id=name)
            )
        else:
            raise LookupError
        extra = json.loads(found.extra) if found.extra else {}
        if not isinstance(extra, dict):
            raise TypeError
    except Exception as error:
        # What was given may hold a password: neither it nor what the parser says of it is repeated.
        is_absent = isinstance(error, LookupError) or type(error).__name__ == "AirflowNotFoundException"
        raise CareGridError(
            f"there is no connection {name!r}" if is_absent else f"the connection {name!r} cannot be read",
            where=where,
            fix=f"add {name} in Airflow (Admin, Connections), or set the environment variable "
            f"{variable(name)} to its URI or JSON",
        ) from None
    return Connection(
        name,
        found.conn_type or "",
        found.host or "",
        found.port,
        found.login or "",
        found.password or "",
        found.schema or "",
        extra,
    )


def _in_a_task() -> bool:
    """Return whether this is the process of an Airflow task, which asks its supervisor for connections."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return runner is not None and hasattr(runner, "SUPERVISOR_COMMS")
