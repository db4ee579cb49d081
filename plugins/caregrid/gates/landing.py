"""The landing gate: checks every staged load in one process and accepts or refuses each by itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from caregrid.database.connect import connect
from caregrid.gates import engine, record
from caregrid.gates.engine import Finding, Validation
from caregrid.gates.landing_profile import profile

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

log = logging.getLogger(__name__)
Suites = Mapping[str, Callable[[], "ExpectationSuite"]]


@dataclass
class LandingVerdict:
    """What the gate decided.

    Attributes:
        accepted: load ids accepted.
        refused: load id → why.
        undecided: load id → what kept the verdict from being carried out; the load stays staged.
        warnings: load id → the expectations of severity warning that did not hold.
        seconds: how long the import of Great Expectations, profiles, validation and verdicts took.
    """

    accepted: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    undecided: dict[int, str] = field(default_factory=dict)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, small enough to pass between tasks."""
        return record.plain(asdict(self))


def gate_staged(
    load_ids: Sequence[int] | None = None, *, suites: Suites | None = None, decide: bool = True
) -> LandingVerdict:
    """Check staged loads, write every result, then accept or refuse each load by itself.

    Args:
        load_ids: the loads to check, whatever their status when not deciding; default all that are staged.
        suites: landing suites by what they are about; default expectations.landing.SUITES.
        decide: False checks and records nothing and decides nothing (`caregrid gates check`).
    """
    verdict = LandingVerdict()
    with connect("loader") as connection:
        chosen = _chosen(connection, load_ids, only_staged=decide)
    if not chosen:
        return verdict
    started = time.monotonic()
    # The database counts while this process imports; both take seconds.
    counting = threading.Thread(target=_analyze, daemon=True)
    counting.start()
    engine.context()
    verdict.seconds["import"] = time.monotonic() - started
    counting.join()
    verdict.seconds["analyze"] = time.monotonic() - started - verdict.seconds["import"]
    if suites is None:
        from expectations.landing import SUITES

        suites = SUITES
    with connect("loader") as connection:
        rows, validations = check(connection, chosen, suites, verdict.seconds)
        if decide:
            record.write_rows(connection, rows)
    if decide:
        record.keep_results(validations)
    reasons = _reasons(rows)
    for row in rows:
        if row.load_id is not None and not row.success and row.severity == engine.WARNING and not row.raised:
            verdict.warnings.setdefault(row.load_id, []).append(f"{row.suite}.{row.expectation}")
    if decide:
        started = time.monotonic()
        _carry_out(chosen, reasons, verdict)
        verdict.seconds["decide"] = time.monotonic() - started
    else:
        verdict.refused = reasons
        verdict.accepted = [load_id for load_id in chosen if load_id not in reasons]
    return verdict


def check(
    connection: psycopg.Connection[Any], load_ids: Sequence[int], suites: Suites, seconds: dict[str, float]
) -> tuple[list[record.GateRow], list[Validation]]:
    """Profile and validate the loads; return one row per load and expectation, and the validations."""
    from expectations.contracts import KEYS

    rows: list[record.GateRow] = []
    validations: list[Validation] = []
    for about, build in suites.items():
        started = time.monotonic()
        frame = profile(connection, about, load_ids)
        seconds["profile"] = seconds.get("profile", 0.0) + time.monotonic() - started
        # A contract of which no load holds anything has nothing to be checked; that a load holds nothing at
        # all, or less than its feed promises, is for the suite `load` to see, which has a row for every load.
        if len(frame) == 0 and about != "load":
            continue
        started = time.monotonic()
        for part, validation in _validated(build, frame, KEYS[about]):
            validations.append(validation)
            rows += _rows(validation, part)
        seconds["validate"] = seconds.get("validate", 0.0) + time.monotonic() - started
    unchecked = set(load_ids) - {row.load_id for row in rows}
    rows += [_unchecked(load_id) for load_id in sorted(unchecked)]
    return rows, validations


def _analyze() -> None:
    """Have the database take statistics of what was loaded: profiles and verdicts join those tables.

    Without them they are slow and not wrong, so that a failure is told and no more.
    """
    try:
        with connect("loader") as connection:
            connection.execute("select ledger.analyze_loaded()")
    except psycopg.Error as error:
        log.warning("no statistics of what was loaded: %s", error)


def _chosen(
    connection: psycopg.Connection[Any], load_ids: Sequence[int] | None, only_staged: bool
) -> list[int]:
    query = "select load_id from raw.load where (%(all)s or load_id = any(%(loads)s))"
    query += " and status = 'staged'" if only_staged or load_ids is None else ""
    values = {"all": load_ids is None, "loads": list(load_ids or [])}
    found = connection.execute((query + " order by load_id").encode(), values)
    return [load_id for (load_id,) in found]


def _validated(
    build: Callable[[], ExpectationSuite], frame: pd.DataFrame, keys: Sequence[str]
) -> list[tuple[pd.DataFrame, Validation]]:
    """Validate all loads at once; where something was raised, load by load, to blame the right one."""
    whole = engine.validate(build(), frame, keys)
    loads = sorted(set(frame["load_id"]))
    if len(loads) < 2 or not any(finding.raised for finding in whole.findings):
        return [(frame, whole)]
    parts = [frame[frame["load_id"] == load_id].reset_index(drop=True) for load_id in loads]
    return [(part, engine.validate(build(), part, keys)) for part in parts]


def _rows(validation: Validation, frame: pd.DataFrame) -> list[record.GateRow]:
    rows = []
    for load_id in sorted(set(frame["load_id"])):
        part = frame[frame["load_id"] == load_id]
        for finding in validation.findings:
            held = finding.holds_for((load_id,))
            rows.append(
                record.GateRow(
                    "landing",
                    finding.suite,
                    int(load_id),
                    None,
                    finding.name,
                    finding.severity,
                    held,
                    finding.raised,
                    _observed(part, finding, load_id, held),
                    finding.message,
                )
            )
    return rows


def _unchecked(load_id: int) -> record.GateRow:
    """Return the failure of a load that no suite looked at: what was not checked does not pass."""
    message = "no suite looked at this load"
    return record.GateRow(
        "landing", "landing_load", load_id, None, "checked", engine.CRITICAL, False, False, None, message
    )


def _observed(part: pd.DataFrame, finding: Finding, load_id: int, held: bool) -> Any:
    """Return what was seen: the value of the load, or per measure those for which it did not hold."""
    if finding.column is None or finding.column not in part.columns:
        return {"rows": len(part)}
    if "measure" not in part.columns:
        return {finding.column: part[finding.column].iloc[0]} if len(part) else {"rows": 0}
    if held:
        values = part[finding.column].dropna()
        return (
            {"smallest": values.min(), "largest": values.max(), "measures": len(part)} if len(values) else {}
        )
    measures = {key[1] for key in finding.failing if key[0] == load_id and len(key) > 1}
    return dict(
        part[part["measure"].isin(measures)][["measure", finding.column]].itertuples(index=False, name=None)
    )


def _reasons(rows: Sequence[record.GateRow]) -> dict[int, str]:
    """Return for each load to be refused what did not hold, critical failures and anything raised."""
    reasons: dict[int, list[str]] = {}
    for row in rows:
        if row.load_id is None or row.success or (row.severity != engine.CRITICAL and not row.raised):
            continue
        seen = "raised" if row.raised else record.in_words(row.observed)
        reasons.setdefault(row.load_id, []).append(f"{row.suite}.{row.expectation}: {row.message} ({seen})")
    return {load_id: "; ".join(found) for load_id, found in reasons.items()}


def _carry_out(load_ids: Sequence[int], reasons: Mapping[int, str], verdict: LandingVerdict) -> None:
    """Refuse those with a reason and accept the others at once, or one by one where one cannot be."""
    from caregrid import loading

    passed = [load_id for load_id in load_ids if load_id not in reasons]
    for load_id in reasons:
        if _try(partial(loading.refuse, load_id, reasons[load_id]), load_id, verdict):
            verdict.refused[load_id] = reasons[load_id]
    try:
        if passed:
            loading.accept(passed)
        verdict.accepted += passed
    except Exception:
        for load_id in passed:
            if _try(partial(loading.accept, [load_id]), load_id, verdict):
                verdict.accepted.append(load_id)


def _try(decide: Callable[[], object], load_id: int, verdict: LandingVerdict) -> bool:
    """Carry out one verdict; one load's trouble must not keep the others from theirs."""
    try:
        decide()
    except Exception as error:
        verdict.undecided[load_id] = f"{type(error).__name__}: {error}"
        return False
    return True
