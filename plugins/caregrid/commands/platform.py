"""`caregrid up`, `down`, `status`, `demo`, `reset`, `docs`: the services as a whole."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from caregrid import paths


def register(subparsers: Any) -> None:
    """Add the commands to the parser."""
    for name, run, help_text in (
        ("up", _up, "start the database, Airflow, MLflow and the documentation; they stay up"),
        ("down", _down, "stop them"),
        ("status", _status, "say what runs, and where"),
        ("docs", _docs, "write the documentation of tables and of the gates' findings"),
    ):
        subparsers.add_parser(name, help=help_text).set_defaults(run=run)
    demo = subparsers.add_parser("demo", help="the whole job through Airflow")
    demo.add_argument("--feeds", default="demo", metavar="demo|all|NAME,…", help="which feeds to take")
    demo.add_argument("--settings", default="demo", choices=["demo", "whole"], help="of the forecaster")
    demo.set_defaults(run=_demo)
    reset = subparsers.add_parser("reset", help="delete everything that runs have written")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(run=_reset)


def _up(options: argparse.Namespace) -> None:
    from caregrid.platform import services

    services.start_database()
    services.migrate_warehouse()
    fresh = not services.is_up() and services.migrate_airflow()
    others = [services.start_mlflow(), services.start_docs()]
    services.start_airflow(fresh)
    services.wait_all(others)
    _status(options)


def _down(options: argparse.Namespace) -> None:
    from caregrid.platform import services

    print(f"stopped: {', '.join(services.stop_all()) or 'nothing was running'}")


def _status(options: argparse.Namespace) -> None:
    from caregrid.platform import accounts, services

    print(f"running: {', '.join(services.running()) or 'nothing'}")
    for told in services.restarts():
        print(f"  {told}")
    addresses = services.addresses()
    for name, address in addresses.items():
        print(f"  {name:<8} {address}")
    if "airflow" in addresses:
        print(f"sign in to Airflow as {', '.join(accounts.ROLES)}; passwords in {accounts.passwords_file()}")


def _demo(options: argparse.Namespace) -> int:
    from caregrid.platform import demo

    return demo.run(options.feeds, options.settings)


def _docs(options: argparse.Namespace) -> None:
    from caregrid.platform import documents

    print("\n".join(str(page) for page in documents.write_all()))


def _reset(options: argparse.Namespace) -> int:
    from caregrid.database import server
    from caregrid.platform import maintenance, services

    if not options.yes:
        print(f"This deletes {paths.var()}: the database, landed files, models, logs, accounts, backups.")
        if not sys.stdin.isatty() or input("Type yes to delete it: ").strip() != "yes":
            print("nothing was deleted")
            return 1
    services.stop_all()
    if not server.is_external():
        server.delete()
    maintenance.remove_everything()
    print("deleted")
    return 0
