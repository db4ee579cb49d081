"""`caregrid alerts …`: evaluate the rules, check them, show what fires, read the outbox, try a channel."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from caregrid.arguments import count
from caregrid.errors import CareGridError


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group."""
    parser = subparsers.add_parser(
        "alerts", help="alerts: evaluate the rules, show what fires, try a channel"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    evaluate = commands.add_parser("evaluate", help="evaluate every rule once and send what changed")
    evaluate.add_argument("--as-of", type=_moment, help="look at this moment, ISO 8601 with an offset")
    evaluate.set_defaults(run=_evaluate)
    check = commands.add_parser("check", help="check the rules and the channels")
    check.add_argument("directory", nargs="?", type=Path, help="default: CareGrid's rules")
    check.set_defaults(run=_check)
    firing = commands.add_parser("firing", help="what fires now")
    firing.set_defaults(run=_firing)
    read = commands.add_parser("read", help="print the newest messages of the local channel")
    read.add_argument("--count", type=count, default=10, help="how many (10)")
    read.set_defaults(run=_read)
    attempt = commands.add_parser("try", help="send a test message through a channel")
    attempt.add_argument("channel")
    attempt.set_defaults(run=_try)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no offset; write it as 2025-01-31T12:00:00+00:00")
    return moment


def _evaluate(options: argparse.Namespace) -> int:
    from caregrid.alerts import evaluate

    result = evaluate(options.as_of)
    for name, value in asdict(result).items():
        print(f"{name}: {value}")
    return 1 if result.failures or result.broken else 0


def _check(options: argparse.Namespace) -> int:
    from caregrid.alerts.channels import check_names, declared_names, load_channels, variables
    from caregrid.alerts.rules import load_rules

    rules, channels = load_rules(options.directory), load_channels()
    check_names(channels, {name for rule in rules for name in rule.channels}, declared_names())
    off = declared_names() - {channel.channel for channel in channels}
    print(f"{len(rules)} rules, channels on: {', '.join(channel.channel for channel in channels) or 'none'}")
    if off:
        unset = ", ".join(f"{name} ({variables()[name]})" for name in sorted(off))
        print(f"channels off, because their variable is not set: {unset}")
    return 0


def _firing(options: argparse.Namespace) -> int:
    from caregrid.alerts.phrases import value_phrase
    from caregrid.alerts.state import newest_states
    from caregrid.database.connect import connect

    with connect("action") as connection:
        states = newest_states(connection)
    for rule, subjects in sorted(states.items()):
        for state in subjects.values():
            if state.is_firing:
                details = state.details
                said = f"{details['label']}: {details['what']['en']}{value_phrase(details, 'en')}"
                since = f"since {state.recorded_at:%Y-%m-%d %H:%M} UTC"
                print(f"{details['severity']:11} {rule}: {said}; {since}")
    return 0


def _read(options: argparse.Namespace) -> int:
    from caregrid.alerts.outbox import messages

    newest = messages()[-options.count :]
    print("\n\n".join(f"{one['title']}\n\n{one['body']}" for one in newest) or "no message was sent")
    return 0


def _try(options: argparse.Namespace) -> int:
    from caregrid.alerts.channels import declared_names, load_channels, variables
    from caregrid.alerts.deliver import send
    from caregrid.alerts.message import Message

    channel = next((found for found in load_channels() if found.channel == options.channel), None)
    if channel is None:
        variable = variables().get(options.channel)
        raise CareGridError(
            f"channel {options.channel} is off" if variable else f"no channel is called {options.channel}",
            fix=f"set {variable} to its address"
            if variable
            else f"use {', '.join(sorted(declared_names()))}",
        )
    trouble = send(channel, Message("", "CareGrid: test · 测试", "It works. 通道正常。", "information", []))
    print(trouble or "sent")
    return 1 if trouble else 0
