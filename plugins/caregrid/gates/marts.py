"""The marts gate: checks the tables beside the served ones; a critical failure refuses the publication."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from caregrid.database.connect import connect
from caregrid.gates import engine, record
from caregrid.gates.engine import Finding, Validation
from caregrid.gates.marts_profile import profile_mart, profile_tables

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

# name of a mart → its suite
MartSuites = Mapping[str, Callable[[], "ExpectationSuite"]]

# A message is read; the others stand with what was observed.
_NAMED = 5


@dataclass
class MartsVerdict:
    """What the gate decided about one build.

    Attributes:
        build_id: the build.
        passed: it may be published.
        failures: what did not hold, or was raised, and refuses it.
        warnings: what did not hold and is only shown.
        checked: how many expectations were evaluated.
        seconds: how long the import of Great Expectations, the profiles and the validation took.
    """

    build_id: int
    passed: bool = False
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    checked: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, small enough to pass between tasks."""
        return record.plain(asdict(self))


def gate_marts(build_id: int, *, suites: MartSuites | None = None) -> MartsVerdict:
    """Check what build `build_id` left in build_core and build_marts, and write every result.

    Args:
        build_id: a row of ledger.build.
        suites: suites by mart; default expectations.marts.MARTS.
    """
    verdict = MartsVerdict(build_id)
    started = time.monotonic()
    engine.context()
    verdict.seconds["import"] = time.monotonic() - started
    from expectations import marts

    chosen = marts.MARTS if suites is None else suites
    with connect("dbt") as connection:
        started = time.monotonic()
        frame = profile_tables(connection)
        validations = [engine.validate(marts.every_table(), frame, ["table_name"])]
        rows = _rows(build_id, validations[0], frame, "table_name")
        for mart, build in chosen.items():
            validation, found = _mart(connection, build_id, mart, build)
            validations.append(validation)
            rows += found
        verdict.seconds["check"] = time.monotonic() - started
        record.write_rows(connection, rows)
    record.keep_results(validations)
    for row in rows:
        if not row.success:
            refuses = row.raised or row.severity == engine.CRITICAL
            (verdict.failures if refuses else verdict.warnings).append(
                f"{row.suite}.{row.expectation}: {row.message} ({record.in_words(row.observed)})"
            )
    verdict.checked = len(rows)
    verdict.passed = not verdict.failures and verdict.checked > 0
    return verdict


def _mart(
    connection: psycopg.Connection[Any],
    build_id: int,
    mart: str,
    build: Callable[[], ExpectationSuite],
) -> tuple[Validation, list[record.GateRow]]:
    try:
        with connection.transaction():
            frame = profile_mart(connection, mart)
    except psycopg.Error as error:
        message = f"the profile of {mart} could not be computed: {str(error).splitlines()[0]}"
        row = record.GateRow(
            "marts", f"marts_{mart}", None, build_id, "profile", engine.CRITICAL, False, True, None, message
        )
        return Validation(f"marts_{mart}"), [row]
    validation = engine.validate(build(), frame, ["mart"])
    return validation, _rows(build_id, validation, frame, "mart")


def _rows(build_id: int, validation: Validation, frame: pd.DataFrame, key: str) -> list[record.GateRow]:
    return [
        record.GateRow(
            "marts",
            finding.suite,
            None,
            build_id,
            finding.name,
            finding.severity,
            finding.success,
            finding.raised,
            _observed(frame, finding, key),
            _message(frame, finding, key),
        )
        for finding in validation.findings
    ]


def _message(frame: pd.DataFrame, finding: Finding, key: str) -> str:
    """Return what was expected, of a finding that did not hold with the tables it did not hold for."""
    if finding.success or finding.raised:
        return finding.message
    failing = {str(name) for name, *_ in finding.failing} if key != "mart" else set(frame[key].astype(str))
    if not failing:
        return finding.message
    english, dot, chinese = finding.message.partition(" · ")
    named, more = sorted(failing)[:_NAMED], len(failing) - _NAMED
    others = (f" and {more} more", f" 等另外 {more} 张") if more > 0 else ("", "")
    return f"{english}: {', '.join(named)}{others[0]}" + (
        f"{dot}{chinese}：{'、'.join(named)}{others[1]}" if dot else ""
    )


def _observed(frame: pd.DataFrame, finding: Finding, key: str) -> Any:
    """Return the aggregate that was seen; of many tables those it did not hold for."""
    if finding.column is None or finding.column not in frame.columns:
        return {"rows": len(frame)}
    if key == "mart":
        return {finding.column: frame[finding.column].iloc[0]} if len(frame) else {}
    failing = {name for name, *_ in finding.failing}
    shown = frame[frame[key].isin(failing)]
    return dict(shown[[key, finding.column]].itertuples(index=False, name=None)) or {"rows": len(frame)}
