"""`caregrid database`: start, stop, migrate, and the address BI tools connect to."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from caregrid.database import connect, migrate, server
from caregrid.errors import CareGridError


def register(subparsers: Any) -> None:
    """Add the group `database` to the parser."""
    group = subparsers.add_parser("database", help="the warehouse's PostgreSQL")
    commands = group.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, run, help_text in (
        ("start", _start, "start the server beside the checkout and apply the migrations"),
        ("stop", _stop, "stop it"),
        ("migrate", _migrate, "apply the numbered migrations that are not applied yet"),
        ("bi-url", _bi_url, "print how a BI tool connects (read-only; core and marts)"),
    ):
        commands.add_parser(name, help=help_text).set_defaults(run=run)
    shell = commands.add_parser("psql", help="open the warehouse in psql")
    shell.add_argument("--role", default="owner", choices=connect.ROLES)
    shell.set_defaults(run=_psql)


def _start(options: argparse.Namespace) -> None:
    if not server.is_external():
        print(f"PostgreSQL answers on 127.0.0.1:{server.start()}")
    _migrate(options)


def _stop(options: argparse.Namespace) -> None:
    print("stopped" if server.stop() else "was not running")


def _migrate(options: argparse.Namespace) -> None:
    names = migrate.migrate(connect.dsn("owner"))
    print("\n".join(f"applied {name}" for name in names) or "migrations: nothing to do")


def _bi_url(options: argparse.Namespace) -> None:
    print(connect.dsn("bi_reader"))
    try:
        connect.connect("bi_reader").close()
    except CareGridError as error:
        # The address stays as it is, also while the database is down: it is what was asked for.
        print(f"nothing answers there now: {error}", file=sys.stderr)


def _psql(options: argparse.Namespace) -> None:
    program = server.psql()
    if program is None:
        raise CareGridError(
            "psql is not installed beside the server", fix="use any client with `make bi-url`"
        )
    connect.connect(options.role).close()  # psql itself says what is wrong, and not what to do
    # The password goes by the environment: a command line is seen by every user of the machine.
    parts = connect.parameters(options.role)
    environment = os.environ | {"PGPASSWORD": parts.pop("password", ""), "PSQLRC": "/dev/null"}
    arguments = [str(program), *(f"--{key}={value}" for key, value in parts.items())]
    os.execve(program, arguments, environment)  # noqa: S606
