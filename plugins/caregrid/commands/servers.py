"""`caregrid servers`: what docker-compose.yaml runs, and the secrets that it needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def register(subparsers: Any) -> None:
    """Add the group `servers` to the parser."""
    group = subparsers.add_parser("servers", help="the same system on servers: secrets, set-up, services")
    commands = group.add_subparsers(dest="command", required=True, metavar="COMMAND")
    secrets = commands.add_parser("secrets", help="write the passwords and keys that are not there yet")
    secrets.add_argument("folder", nargs="?", type=Path, help="by default var/servers/secrets")
    secrets.add_argument("--host", default="postgres", help="of PostgreSQL, as the services name it")
    secrets.add_argument("--port", type=int, default=5432, help="of PostgreSQL")
    secrets.set_defaults(run=_secrets)
    commands.add_parser(
        "init", help="roles, tables, accounts, bucket: once, before the services"
    ).set_defaults(run=_init)
    service = commands.add_parser("run", help="become one service, in the foreground")
    service.add_argument("name")
    service.set_defaults(run=_run)
    health = commands.add_parser("healthy", help="exit with 0 if a service on this machine works, else 1")
    health.add_argument("name")
    health.set_defaults(run=_healthy)


def _secrets(options: argparse.Namespace) -> None:
    from caregrid import paths
    from caregrid.platform import server_secrets

    folder = options.folder or paths.var("servers", "secrets")
    for name in server_secrets.write(folder, options.host, options.port):
        print(f"wrote {folder / name}: {server_secrets.FILES[name]}")


def _init(options: argparse.Namespace) -> None:
    from caregrid.platform import servers

    print("\n".join(servers.set_up()))


def _run(options: argparse.Namespace) -> None:
    from caregrid.platform import servers

    servers.run(options.name)


def _healthy(options: argparse.Namespace) -> int:
    from caregrid.platform import servers

    return 0 if servers.is_healthy(options.name) else 1
