"""`caregrid gates …`: run the gates, check a load without deciding, show what was found, build Data Docs."""

from __future__ import annotations

import argparse
import json

from caregrid import terminal
from caregrid.errors import CareGridError


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    parser = subparsers.add_parser(
        "gates", help="quality gates: accept or refuse loads, check marts, Data Docs"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="check every staged load and accept or refuse each")
    run.set_defaults(run=_run)
    check = commands.add_parser("check", help="check loads and decide nothing")
    check.add_argument("load_ids", nargs="+", type=int, metavar="LOAD")
    check.set_defaults(run=_check)
    release = commands.add_parser("release", help="accept a refused load after all, with a reason")
    release.add_argument("load_id", type=int, metavar="LOAD")
    release.add_argument("reason", help="why it may be used; kept in the ledger")
    release.set_defaults(run=_release)
    marts = commands.add_parser("marts", help="check the tables that a build left beside the served ones")
    marts.add_argument("build_id", type=int, metavar="BUILD")
    marts.set_defaults(run=_marts)
    show = commands.add_parser("show", help="what was found at the gate for one load")
    show.add_argument("load_id", type=int, metavar="LOAD")
    show.set_defaults(run=_show)
    docs = commands.add_parser("docs", help="build Data Docs below var/docs/data_docs")
    docs.set_defaults(run=_docs)


def _run(options: argparse.Namespace) -> int:
    from caregrid.gates import gate_staged

    verdict = gate_staged()
    print(terminal.as_json(verdict.to_dict()))
    return 1 if verdict.undecided else 0


def _check(options: argparse.Namespace) -> int:
    from caregrid.gates import gate_staged

    verdict = gate_staged(options.load_ids, decide=False)
    missing = set(options.load_ids) - set(verdict.accepted) - set(verdict.refused)
    if missing:
        raise CareGridError(f"there is no load {sorted(missing)}", fix="look in raw.load")
    for load_id in verdict.accepted:
        warnings = "; ".join(verdict.warnings.get(load_id, [])) or "no warnings"
        print(f"load {load_id}: would pass ({warnings})")
    for load_id, reason in verdict.refused.items():
        print(f"load {load_id}: would be refused: {reason}")
    return 1 if verdict.refused else 0


def _release(options: argparse.Namespace) -> int:
    from caregrid import loading

    if not options.reason.strip():
        raise CareGridError("a release needs a reason", fix="say why the load may be used")
    released = loading.accept([options.load_id], options.reason.strip())
    print(
        f"load {options.load_id} is accepted" if released else f"load {options.load_id} was accepted already"
    )
    return 0


def _marts(options: argparse.Namespace) -> int:
    from caregrid.gates import gate_marts

    verdict = gate_marts(options.build_id)
    print(terminal.as_json(verdict.to_dict()))
    return 0 if verdict.passed else 1


def _show(options: argparse.Namespace) -> int:
    from caregrid.database.connect import connect

    with connect("loader") as connection:
        found = connection.execute(
            "select suite, expectation, severity, success, raised, observed, message, checked_at"
            " from ledger.gate_result where load_id = %s and checked_at = ("
            "    select max(checked_at) from ledger.gate_result where load_id = %s)"
            " order by success, gate_result_id",
            [options.load_id, options.load_id],
        ).fetchall()
    if not found:
        raise CareGridError(f"load {options.load_id} was never at the gate", fix="caregrid gates run")
    for suite, expectation, severity, success, raised, observed, message, _ in found:
        state = "held" if success else "RAISED" if raised else "FAILED"
        seen = "" if success else f" {json.dumps(observed, ensure_ascii=False)}"
        print(f"{state:7} {severity:8} {suite}.{expectation}: {message}{seen}")
    return 0


def _docs(options: argparse.Namespace) -> int:
    from caregrid.gates.docs import build_docs

    print(build_docs())
    return 0
