"""Runs one suite over one frame with Great Expectations and says plainly what held, for which keys."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from caregrid import paths

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.data_context import EphemeralDataContext

CRITICAL = "critical"
WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """What one expectation found in one batch.

    Attributes:
        suite: name of the suite.
        name: name of the expectation within its suite.
        severity: critical or warning, as the suite declares it.
        success: it held for every row.
        raised: something was raised instead of an answer; then success is False.
        column: the column it looks at, if it looks at one.
        failing: keys of the rows it did not hold for; empty with success False means the whole batch.
        message: what was expected, or what was raised.
    """

    suite: str
    name: str
    severity: str
    success: bool
    raised: bool
    column: str | None
    failing: frozenset[tuple[Any, ...]]
    message: str

    @property
    def fails_gate(self) -> bool:
        """Say whether this refuses: a critical failure, or anything raised whatever the severity."""
        return self.raised or (not self.success and self.severity == CRITICAL)

    def holds_for(self, key: Sequence[Any]) -> bool:
        """Say whether the expectation held for the rows whose key begins with `key`."""
        if self.success:
            return True
        if not self.failing:
            return False
        return all(found[: len(key)] != tuple(key) for found in self.failing)


@dataclass(frozen=True)
class Validation:
    """The findings of one suite over one frame, and what Great Expectations gave (for Data Docs)."""

    suite: str
    findings: list[Finding] = field(default_factory=list)
    result: ExpectationSuiteValidationResult | None = None


def prepare_environment() -> None:
    """Keep Great Expectations from phoning home, and its home below var/; before its first import."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    for name in list(os.environ):
        if name.startswith("GX_CLOUD_"):
            del os.environ[name]
    os.environ.setdefault("GX_HOME", str(paths.var("gates", "home")))
    # Hundreds of lines about its own plugins at each import; Airflow's `namespace_levels` does not reach it.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)


@lru_cache(maxsize=1)
def context() -> EphemeralDataContext:
    """Return the one context of this process: in memory, silent, without progress bars."""
    prepare_environment()
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    made = gx.get_context(mode="ephemeral")
    made.enable_analytics(False)
    made.variables.progress_bars = ProgressBarsConfig(globally=False)
    return made


def validate(suite: ExpectationSuite, frame: pd.DataFrame, keys: Sequence[str]) -> Validation:
    """Validate a frame and return one finding per expectation of the suite, none lost.

    Args:
        suite: the expectations, each with meta {"name", "means"} (see expectations.building).
        frame: the batch; one row per key.
        keys: the columns that name a row.
    """
    batch = _definition().get_batch({"dataframe": frame})
    try:
        result = batch.validate(
            suite,
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": list(keys)},
        )
    except Exception as error:  # whatever escapes from a check must fail the gate, never pass it
        message = f"the suite raised {type(error).__name__}: {error}"
        return Validation(suite.name, [_not_run(suite.name, one, message) for one in suite.expectations])
    found = {finding.name: finding for finding in (_finding(suite.name, one, keys) for one in result.results)}
    findings = [
        found.get(_name(expectation.meta)) or _not_run(suite.name, expectation, "no result came back")
        for expectation in suite.expectations
    ]
    if len(frame) == 0:
        findings = [_empty(finding) for finding in findings]
    return Validation(suite.name, findings, result)


def raised_message(exception_info: Any) -> str | None:
    """Return what was raised, or None where nothing was.

    Great Expectations 1.24 gives {"raised_exception": False, ...} when all is well, the same with True when
    the expectation itself raised, and {metric id: that} (or an object with those attributes, or several) when
    a metric could not be computed, a missing column for one.
    """
    if exception_info is None:
        return None
    if isinstance(exception_info, Mapping):
        if "raised_exception" in exception_info:
            if not exception_info["raised_exception"]:
                return None
            return str(exception_info.get("exception_message") or "an exception without a message")
        parts: list[Any] = list(exception_info.values())
    elif hasattr(exception_info, "raised_exception"):
        if not exception_info.raised_exception:
            return None
        return str(getattr(exception_info, "exception_message", "") or "an exception without a message")
    elif isinstance(exception_info, list | tuple | set | frozenset):
        parts = list(exception_info)
    elif exception_info:
        return f"an exception in an unknown shape: {exception_info!r}"
    else:
        return None
    return next((message for part in parts if (message := raised_message(part)) is not None), None)


@lru_cache(maxsize=1)
def _definition() -> Any:
    asset = context().data_sources.add_pandas("profiles").add_dataframe_asset("profile")
    return asset.add_batch_definition_whole_dataframe("whole")


def _name(meta: Mapping[str, Any] | None) -> str:
    return str((meta or {}).get("name"))


def _finding(suite: str, result: ExpectationValidationResult, keys: Sequence[str]) -> Finding:
    config = result.expectation_config
    meta: Mapping[str, Any] = (config.meta if config else None) or {}
    message = raised_message(result.exception_info)
    if message is None and not result.success and not result.result:
        message = "it failed without saying what it saw"
    raised = message is not None
    places = result.result.get("unexpected_index_list") if result.result else None
    return Finding(
        suite=suite,
        name=_name(meta),
        severity=_severity(config.severity if config else None),
        success=bool(result.success) and not raised,
        raised=raised,
        column=meta.get("column"),
        failing=frozenset(_key(place, keys) for place in places or [] if isinstance(place, Mapping)),
        message=message if message is not None else str(meta.get("means", "")),
    )


def _severity(severity: Any) -> str:
    """Return critical unless the expectation is known to be milder: an unknown severity must not let pass."""
    return WARNING if getattr(severity, "value", severity) in (WARNING, "info") else CRITICAL


def _key(place: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(place[key], "item", lambda value=place[key]: value)() for key in keys)


def _not_run(suite: str, expectation: Any, message: str) -> Finding:
    meta = expectation.meta or {}
    return Finding(
        suite,
        _name(meta),
        _severity(expectation.severity),
        False,
        True,
        meta.get("column"),
        frozenset(),
        message,
    )


def _empty(finding: Finding) -> Finding:
    """Fail every expectation of an empty batch: what is true of nothing says nothing."""
    if not finding.success:
        return finding
    return Finding(
        finding.suite,
        finding.name,
        finding.severity,
        False,
        finding.raised,
        finding.column,
        frozenset(),
        "the batch is empty: there was nothing to check",
    )
