"""Writes a drafted feed as YAML for a person: what was guessed beside each key, what to confirm first."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from caregrid.feeds import CONFIRM

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORDS = {"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"}
_WIDE = 100
_HEAD = {
    "name": "what people read, in both languages",
    "owner": "who publishes it; country and zone are guessed from the headings' language, XX is none",
    "schedule": "when to fetch it, how often it comes, when it is late: null says once",
    "licence": "under which terms, and where the meaning of the columns stands",
}


def flow(value: Any) -> str:
    """Return a value in YAML's flow style; text that could be read as anything else stands in quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def block(
    value: dict[str, Any], indent: str, notes: Mapping[str, str | list[str]] | None = None
) -> list[str]:
    """Return the lines of a mapping, one key each, long values broken.

    Notes stand above their keys, those of `values.COLUMN` above that entry of the list.
    """
    lines = []
    for key, item in value.items():
        asked = (notes or {}).get(key, [])
        for note in [asked] if isinstance(asked, str) else asked:
            lines.append(f"{indent}# {CONFIRM} {_one_line(note)}")
        short = f"{indent}{flow(key)}: {flow(item)}"
        entries = item if isinstance(item, list) else []
        asked_of = [(notes or {}).get(f"{key}.{_column(entry)}", "") for entry in entries]
        if (len(short) <= _WIDE and not any(asked_of)) or not isinstance(item, (dict, list)) or not item:
            lines.append(short)
        elif isinstance(item, dict):
            lines += [f"{indent}{flow(key)}:", *block(item, indent + "  ")]
        else:
            lines.append(f"{indent}{flow(key)}:")
            for entry, own in zip(entries, asked_of, strict=True):
                lines += [f"{indent}  # {CONFIRM} {_one_line(str(own))}"] if own else []
                lines.append(f"{indent}  - {flow(entry)}")
    return lines


def _column(entry: Any) -> str:
    return str(entry.get("column", "")) if isinstance(entry, dict) else ""


def text_of(feed: dict[str, Any], notes: list[str], unsure: dict[str, str], told: list[str]) -> str:
    """Return the YAML of a draft.

    Args:
        feed: as the schema wants it.
        notes: what to confirm of the source, `key: words`.
        unsure: what to confirm of each output's keys.
        told: what the sample showed, for the top of the file.
    """
    head = {key: item for key, item in feed.items() if key not in ("sources", "outputs")}
    lines = [f"# {_one_line(line)}" for line in told]
    lines += block(head, "", _HEAD)
    lines.append("sources:")
    for name, source in feed["sources"].items():
        lines.append(f"  {name}:")
        of_format = [note for note in notes if note.partition(":")[0] in source["format"]]
        lines += [f"    # {CONFIRM} {_one_line(note)}" for note in notes if note not in of_format]
        asked = {"format": of_format} if of_format else {}
        published = "when a file was published, and so since when its rows were known"
        lines += block(source, "    ", {**asked, "published_at": [published]})
    lines.append("outputs:")
    for output in feed["outputs"]:
        first, *rest = block(output, "    ", unsure)
        lines += [f"  - {first.strip()}", *rest]
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Return a text that cannot leave its comment: a heading may hold line breaks or control characters."""
    return "".join(mark if mark.isprintable() else " " for mark in text)[:400]
