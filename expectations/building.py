"""The few shapes an expectation takes here, each with a name, a severity and a sentence a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import great_expectations.expectations as gxe
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

Severity = Literal["critical", "warning"]


def between(
    column: str,
    severity: Severity,
    means: str,
    means_zh: str,
    *,
    low: float | None = None,
    high: float | None = None,
    name: str = "",
) -> Expectation:
    """Expect every row's value to lie in [low, high]; a missing value (nothing to compare with) passes.

    Args:
        column: a column of the profile.
        severity: critical refuses the load or the publication; warning is shown and alerted.
        means: what is true of the data when this holds; means_zh: the same in Chinese.
        low: smallest value allowed.
        high: largest value allowed.
        name: what the result is called in ledger.gate_result; by default the column and the side.
    """
    side = "within" if low is not None and high is not None else "at_least" if low is not None else "at_most"
    return gxe.ExpectColumnValuesToBeBetween(
        column=column,
        min_value=low,
        max_value=high,
        severity=FailureSeverity(severity),
        description=_described(severity, means, means_zh, _limits(column, low, high)),
        meta=_meta(name or f"{column}_{side}", means, means_zh, column),
    )


def has_rows(means: str, means_zh: str) -> Expectation:
    """Expect the batch to hold a row at all: of an empty batch every other expectation would be true."""
    return gxe.ExpectTableRowCountToBeBetween(
        min_value=1,
        severity=FailureSeverity.CRITICAL,
        description=_described("critical", means, means_zh, "rows ≥ 1"),
        meta=_meta("batch_not_empty", means, means_zh),
    )


def unique(columns: Sequence[str], means: str, means_zh: str) -> Expectation:
    """Expect no two rows of the profile to bear one key."""
    meta = _meta("profile_key_unique", means, means_zh)
    described = _described("critical", means, means_zh, f"{', '.join(columns)}: unique")
    if len(columns) == 1:
        return gxe.ExpectColumnValuesToBeUnique(
            column=columns[0], severity=FailureSeverity.CRITICAL, description=described, meta=meta
        )
    return gxe.ExpectCompoundColumnsToBeUnique(
        column_list=list(columns), severity=FailureSeverity.CRITICAL, description=described, meta=meta
    )


def _limits(column: str, low: float | None, high: float | None) -> str:
    """Return `0.5 ≤ column ≤ 2` and the like."""
    below = "" if low is None else f"{low:g} ≤ "
    above = "" if high is None else f" ≤ {high:g}"
    return f"{below}{column}{above}"


def _described(severity: Severity, means: str, means_zh: str, limits: str) -> str:
    """Return what stands in Data Docs; a dollar sign would begin a parameter there."""
    words = {"critical": "critical · 严重", "warning": "warning · 警告"}
    return f"{means} · {means_zh} [{limits}; {words[severity]}]".replace("$", "")


def _meta(name: str, means: str, means_zh: str, column: str | None = None) -> dict[str, Any]:
    return {"name": name, "means": f"{means} · {means_zh}", **({"column": column} if column else {})}


def suite(name: str, expectations: Sequence[Expectation]) -> ExpectationSuite:
    """Return a suite whose expectations bear different names.

    Raises:
        ValueError: two expectations bear one name, so their results could not be told apart.
    """
    names = [str((expectation.meta or {}).get("name")) for expectation in expectations]
    doubles = {given for given in names if names.count(given) > 1}
    if doubles:
        raise ValueError(f"suite {name}: {sorted(doubles)} stands twice")
    return ExpectationSuite(name=name, expectations=list(expectations))


def mart(name: str, expectations: Sequence[Expectation]) -> ExpectationSuite:
    """Return the suite of a mart: its profile is one row, which must be there."""
    return suite(f"marts_{name}", [has_rows("The mart was profiled", "该数据集市已统计"), *expectations])


def not_missing() -> Expectation:
    """Expect a mart not to be empty where the facts it is made of are not."""
    return between(
        "missing",
        "critical",
        "The mart has rows where the facts it is made of have",
        "来源事实有数据时该集市也有数据",
        high=0,
        name="not_missing",
    )


def none_of(column: str, means: str, means_zh: str) -> Expectation:
    """Expect a count or a share of what cannot be true to be zero, or the build is refused."""
    return between(column, "critical", means, means_zh, high=0)
