"""The channels that alerts go through, read from YAML; their secrets come from the environment alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caregrid.alerts.check import as_error, problems_of, read
from caregrid.alerts.names import LANGUAGES
from caregrid.errors import CareGridError
from caregrid.feeds.problems import Problem

VARIABLE = "CAREGRID_ALERT_CHANNELS"
_SCHEMA: dict[str, Any] = json.loads(
    Path(__file__).with_name("channels_schema.json").read_text(encoding="utf-8")
)
SEVERITIES = ("critical", "warning", "information")


@dataclass(frozen=True)
class Channel:
    """One way to tell someone. `url` is an Apprise URL and may hold a password: never print it."""

    channel: str
    url: str
    languages: tuple[str, ...] = LANGUAGES
    severities: tuple[str, ...] = SEVERITIES

    def __repr__(self) -> str:
        return f"Channel({self.channel!r})"


def channels_file() -> Path:
    """Return the file that names the channels: CAREGRID_ALERT_CHANNELS, else the one beside this module."""
    return Path(os.environ.get(VARIABLE) or Path(__file__).with_name("channels.yml"))


def load_channels(file: Path | None = None) -> list[Channel]:
    """Return the channels that are on.

    Raises:
        CareGridError: with every mistake in the file: file, line, field, fix.
    """
    path = file or channels_file()
    document = read(path)
    problems = problems_of(path, document, _SCHEMA)
    if problems:
        raise as_error(problems)
    seen: set[str] = set()
    found = []
    for index, entry in enumerate(document.data["channels"]):
        line = document.line_of(("channels", index))
        field = f"channels[{index}]"
        if entry["channel"] in seen:
            problems.append(Problem(path, line, field, f"{entry['channel']} stands twice", "rename one"))
        seen.add(entry["channel"])
        if ("outbox" in entry) == ("url_from_environment" in entry):
            fix = "give either outbox: FILE or url_from_environment: VARIABLE"
            problems.append(Problem(path, line, field, "a channel has one address", fix))
            continue
        url = (
            f"outbox://{entry['outbox']}"
            if "outbox" in entry
            else os.environ.get(entry["url_from_environment"])
        )
        if url:
            found.append(
                Channel(
                    entry["channel"],
                    url,
                    tuple(entry.get("languages", LANGUAGES)),
                    tuple(entry.get("severities", SEVERITIES)),
                )
            )
    if problems:
        raise as_error(problems)
    return found


def check_names(channels: list[Channel], wanted: set[str], declared: set[str]) -> None:
    """Refuse a rule that speaks through a channel nobody declared (one that is off is no mistake).

    Raises:
        CareGridError: naming the unknown channels.
    """
    unknown = wanted - declared - {channel.channel for channel in channels}
    if unknown:
        raise CareGridError(
            f"rules name channels that do not exist: {', '.join(sorted(unknown))}",
            where=str(channels_file()),
            fix=f"use one of {', '.join(sorted(declared))}",
        )


def declared_names(file: Path | None = None) -> set[str]:
    """Return the names of all channels in the file, on or off."""
    return {str(entry["channel"]) for entry in read(file or channels_file()).data["channels"]}


def variables(file: Path | None = None) -> dict[str, str]:
    """Return {channel: the environment variable that its address is read from}, of those that have one."""
    entries = read(file or channels_file()).data["channels"]
    return {
        str(entry["channel"]): str(entry["url_from_environment"])
        for entry in entries
        if "url_from_environment" in entry
    }
