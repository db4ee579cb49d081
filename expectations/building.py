"""The few shapes an expectation takes here, each with a name, a severity and a sentence a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import great_expectations.expectations as gxe
from great_expectations import ExpectationSuite
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metadata_types import FailureSeverity

Severity = Literal["critical", "warning"]


def between(
    column: str,
    severity: Severity,
    means: str,
    *,
    low: float | None = None,
    high: float | None = None,
    name: str = "",
) -> Expectation:
    """Expect every row's value to lie in [low, high]; a missing value (nothing to compare with) passes.

    Args:
        column: a column of the profile.
        severity: critical refuses the load or the publication; warning is shown and alerted.
        means: what is true of the data when this holds.
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
        notes=means,
        meta={"name": name or f"{column}_{side}", "means": means, "column": column},
    )


def one_of(column: str, values: Sequence[str], severity: Severity, means: str, name: str = "") -> Expectation:
    """Expect every row's value to be one of `values`."""
    return gxe.ExpectColumnValuesToBeInSet(
        column=column,
        value_set=list(values),
        severity=FailureSeverity(severity),
        notes=means,
        meta={"name": name or f"{column}_known", "means": means, "column": column},
    )


def has_rows(means: str) -> Expectation:
    """Expect the batch to hold a row at all: of an empty batch every other expectation would be true."""
    return gxe.ExpectTableRowCountToBeBetween(
        min_value=1,
        severity=FailureSeverity.CRITICAL,
        notes=means,
        meta={"name": "batch_not_empty", "means": means},
    )


def unique(columns: Sequence[str], means: str) -> Expectation:
    """Expect no two rows of the profile to bear one key."""
    meta = {"name": "profile_key_unique", "means": means}
    if len(columns) == 1:
        return gxe.ExpectColumnValuesToBeUnique(
            column=columns[0], severity=FailureSeverity.CRITICAL, notes=means, meta=meta
        )
    return gxe.ExpectCompoundColumnsToBeUnique(
        column_list=list(columns), severity=FailureSeverity.CRITICAL, notes=means, meta=meta
    )


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
