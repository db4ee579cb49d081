"""The model card of a version: what it is for, what it learned from, how well it does, where it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..gate.promotion import Verdict
from ..recipe.model import FittedCareGrid
from ..warehouse.eligibility import LeftOut
from ..warehouse.scores import Score
from ..warehouse.settings import MODEL_NAME
from ..warehouse.tested import BASELINE, OURS, Tested

COLUMNS = (
    ("relative_loss", "loss / seasonal naive's"), ("mase", "MASE"), ("mae", "MAE"),
    ("coverage_50", "50 %"), ("coverage_80", "80 %"), ("coverage_95", "95 %"),
)  # fmt: skip
SUBGROUP = "loss beyond the champion's, "  # how the gate names a row of a subgroup
PURPOSE = """Forecasts of demand (patients present, arrivals, admissions, beds in use) for every place and
grain it serves, as quantiles, and the probability of overload read off them. They are meant for people who
plan beds, staff and transfers, beside what those people know. They are about places, never about one patient,
and no care may be refused by them."""
LIMITS = """- A level break (a ward opens, a definition changes) is learned only from values after it.
- Values are taken as last reported where the source tells of no revisions.
- A series that has ended, or has too few values, has no forecast; the table of what is left out says why.
- Forecasts are clipped at 0 and never at capacity.
- Coverage is of the back-test's cutoffs; a change that no cutoff has seen is covered by nothing."""


@dataclass(frozen=True)
class Training:
    """All that a training run is told by."""

    run_id: str
    models: dict[tuple[str, str], FittedCareGrid]
    tests: list[Tested]
    scores: list[Score]
    verdict: Verdict
    left_out: list[LeftOut]
    tags: dict[str, str]


def write(training: Training, version: str) -> str:
    """Return the card as Markdown; what is not known says so."""
    verdict, tags = training.verdict, training.tags
    parts = [
        f"# {MODEL_NAME}, version {version}",
        f"**{verdict.answer}**: {verdict.reason}",
        "## What it is for",
        PURPOSE,
        "## What it learned from",
        _listed(
            ("known as of", tags.get("known_at_cut")),
            ("sample", tags.get("sample")),
            ("loads", tags.get("load_ids")),
            ("values, sha256", tags.get("data_sha256")),
            ("code", tags.get("code_version")),
            ("lock, sha256", tags.get("lock_sha256")),
            ("vintages assumed for", tags.get("vintages_assumed")),
        ),
        "## What it serves",
        f"Grains: {', '.join(verdict.serves) or 'none'}. The gate kept back any that is not named.",
        _models(training),
        "## How well it does, beside seasonal naive",
        "Rolling cutoffs, each forecast from what was known by then; all feeds of a grain together.",
        _scores(training.scores),
        "## The gate",
        "Losses are in units of each series' naive error, on the cells that both models have; series without "
        "such an error are not counted, so shares differ a little from those above. Cutoffs are those of all "
        "feeds of a grain.",
        _gate([row for row in verdict.table if not str(row.get("check", "")).startswith(SUBGROUP)])
        or "There was nothing to check.",
        "## Subgroups",
        _gate([row for row in verdict.table if str(row.get("check", "")).startswith(SUBGROUP)])
        or "None was compared: there was no other recipe to compare with, or none had cells enough.",
        "## Limits",
        LIMITS,
        _left_out(training.left_out),
        _failed(training.tests),
        "## Reproduce, serve, roll back",
        f"""```
caregrid forecast reproduce {training.run_id}
mlflow models serve --env-manager local --model-uri models:/{MODEL_NAME}/{version}
caregrid models rollback --why "what is wrong with it"
```
In Airflow, the DAG `veto_model` does the same as the last.""",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _listed(*facts: tuple[str, str | None]) -> str:
    return "\n".join(f"- {name}: {value or 'not told'}" for name, value in facts)


def _models(training: Training) -> str:
    tested = {(test.grain, test.feed): len(test.cuts) for test in training.tests}
    rows = []
    for (grain, feed), one in sorted(training.models.items()):
        counts = (len(one.ids), one.horizon, len(one.feature_names), tested.get((grain, feed), 0))
        rows.append((grain, feed, *counts))
    return _table(("grain", "feed", "series", "horizon", "features", "cutoffs tested"), rows)


def _scores(scores: Sequence[Score]) -> str:
    found = {(one.grain, one.model, one.metric): one for one in scores if ":" not in one.grain}
    rows = []
    for grain in sorted({grain for grain, _, _ in found}):
        for model in (OURS, BASELINE):
            figures = [found.get((grain, model, metric)) for metric, _ in COLUMNS]
            first = next((one for one in figures if one is not None), None)
            if first is not None:
                shown = [_number(one.value if one else None) for one in figures]
                rows.append((grain, model, first.cells, first.origins, *shown))
    if not rows:
        return "No back-test was possible."
    return _table(("grain", "model", "cells", "cutoffs", *(name for _, name in COLUMNS)), rows)


def _gate(table: Sequence[dict[str, Any]]) -> str:
    """Return the rows of the gate's table; "" where there are none."""
    if not table:
        return ""
    said = {True: "passed", False: "failed", None: "undecided"}
    rows = [
        (
            row.get("grain"), row.get("check"), _number(row.get("value")), _number(row.get("low")),
            _number(row.get("high")), row.get("limit"), row.get("cells"), said[row.get("passed")],
        )
        for row in table
    ]  # fmt: skip
    return _table(("grain", "check", "value", "low", "high", "asked", "cells", ""), rows)


def _left_out(left_out: Sequence[LeftOut]) -> str:
    counted = Counter(one.reason for one in left_out)
    if not counted:
        return "No series was left out."
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(counted.items()))
    return f"Series left out: {len(left_out)} ({told}); left_out.csv names each."


def _failed(tests: Sequence[Tested]) -> str:
    told = [
        f"- {test.grain} {test.feed}: {model}: {why}"
        for test in tests
        for model, why in sorted(test.failed.items())
    ]
    return "\n".join(["Models that failed in the back-test:", "", *told]) if told else ""


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
