"""Writes what a gate found: rows of ledger.gate_result, and the results Data Docs are later built from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from caregrid import clock, paths
from caregrid.gates.engine import Validation

KEPT_PER_SUITE = 10


@dataclass(frozen=True)
class GateRow:
    """One row of ledger.gate_result: one expectation for one load or one build."""

    gate: str
    suite: str
    load_id: int | None
    build_id: int | None
    expectation: str
    severity: str
    success: bool
    raised: bool
    observed: Any
    message: str


def write_rows(connection: psycopg.Connection[Any], rows: Sequence[GateRow]) -> None:
    """Append the rows under one moment of checking, in the caller's transaction."""
    (checked_at,) = connection.execute("select clock_timestamp()").fetchone() or (None,)
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy ledger.gate_result (gate, suite, load_id, build_id, expectation, severity, success, raised,"
            " observed, message, checked_at) from stdin"
        ) as copy,
    ):
        for row in rows:
            observed = json.dumps(plain(row.observed), ensure_ascii=False)
            copy.write_row(
                (
                    row.gate,
                    row.suite,
                    row.load_id,
                    row.build_id,
                    row.expectation,
                    row.severity,
                    row.success,
                    row.raised,
                    observed,
                    row.message,
                    checked_at,
                )
            )


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: numpy's scalars as Python's, NaN and NaT as null."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    item = getattr(value, "item", None)
    if item is not None:
        value = item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if str(value) == "NaT" else str(value)


def in_words(observed: Any) -> str:
    """Return what was observed as a person writes it: `occupied 2, admissions 0.5`."""
    value = plain(observed)
    if isinstance(value, dict):
        return ", ".join(f"{name} {in_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(in_words, value))
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
    return "nothing" if value is None else str(value)


def keep_results(validations: Iterable[Validation]) -> list[Path]:
    """Write each result to var/gates/results/<suite>/<moment>.json and keep the newest few per suite."""
    written = []
    moment = clock.now().strftime("%Y%m%dT%H%M%S%fZ")
    for validation in validations:
        if validation.result is None:
            continue
        directory = paths.var("gates", "results", validation.suite)
        directory.mkdir(parents=True, exist_ok=True)
        target = directory / f"{moment}.json"
        unfinished = target.with_suffix(".part")
        unfinished.write_text(json.dumps(plain(validation.result.to_json_dict()), ensure_ascii=False))
        unfinished.replace(target)
        written.append(target)
        for old in sorted(directory.glob("*.json"))[:-KEPT_PER_SUITE]:
            old.unlink(missing_ok=True)
    return written
