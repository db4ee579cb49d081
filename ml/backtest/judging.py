"""The promotion gate's answer on a table: would anybody's model take the place of ours?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import CareGridError

from ..evaluation.cells import Cells
from ..gate import paired, promotion
from .models import ALWAYS, OURS
from .table import Table
from .times import NAMES

if TYPE_CHECKING:
    import polars as pl

VERDICTS = ("model", "beside", "answer", "reason")
# A text with a value per series is a name, and no kind of subgroup.
FEWEST_SERIES, MOST_SUBGROUPS = 2, 50


@dataclass(frozen=True)
class Judged:
    """A back-test of a table, as the gate looks at it."""

    grain: str
    feed: str
    cells: Cells
    facts: pl.DataFrame


def champion(asked: str | None, names: Sequence[str]) -> str | None:
    """Return the model whose place is at stake: as asked, else ours; None where it is not in the run.

    Raises:
        CareGridError: there is no such model.
    """
    if asked is not None and asked not in names:
        raise CareGridError(
            f"there is no model {asked!r} in this run",
            where="--champion",
            fix=f"name one of {', '.join(names)}",
        )
    return asked or (OURS if OURS in names else None)


def judged(names: Sequence[str], champion: str | None, baseline: str) -> list[str]:
    """Return the models of a run that the gate is asked about: all but those that are always there."""
    return [name for name in names if name not in (champion, baseline, *ALWAYS)]


def judge(
    cells: Cells, table: Table, names: Sequence[str], champion: str, baseline: str, feed: str
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """Return what the gate says of some models.

    Args:
        names: of the models it is asked about; champion: whose place is at stake.
        baseline: beside which a model must be good enough to serve at all.

    Returns:
        verdicts (model, beside, answer, reason) and gate, the checks behind them; {} where there is nobody to
        judge.
    """
    import polars as pl

    test = Judged(NAMES[table.frequency], feed, cells, _facts(table))
    told, checks = [], []
    for name in names:
        why = next((why for other in (baseline, champion) if (why := _apart(cells, name, other))), None)
        if why is not None:
            told.append((name, champion, promotion.NOT_ENOUGH, why))
            continue
        verdict = promotion.decide(
            _pairs(test, name, baseline), _pairs(test, name, champion), champion_serves=(test.grain,)
        )
        told.append((name, champion, verdict.answer, verdict.reason))
        checks += [{"model": name, **row} for row in verdict.table]
    found = {}
    if told:
        found["verdicts"] = pl.DataFrame(told, schema=list(VERDICTS), orient="row")
    if checks:
        found["gate"] = pl.DataFrame(checks, infer_schema_length=None)
    return found


def _apart(cells: Cells, model: str, other: str) -> str | None:
    """Return why two models cannot be compared, None where they can.

    Scores over other quantiles are other scores: who says fewer seems to lose less.
    """
    for name in (model, other):
        if name not in cells.models or not len(cells.models[name].code):
            return f"{name} answered nothing that could be scored"
    if cells.models[model].quantiles != cells.models[other].quantiles:
        counts = [len(cells.models[name].quantiles) for name in (model, other)]
        return f"{model} says {counts[0]} quantiles, {other} {counts[1]}: such scores cannot be compared"
    return None


def _pairs(test: Judged, model: str, other: str) -> dict[str, paired.Paired]:
    found = paired.paired([test], model, other)
    return {} if found is None else {test.grain: found}


def _facts(table: Table) -> pl.DataFrame:
    """Return unique_id and the unchanging texts whose values are several series each: kinds of subgroups."""
    import polars as pl

    facts = {"unique_id": pl.Series(table.ids, dtype=pl.String)}
    for name in table.static:
        if name in table.texts:
            told = [one or None for one in table.first_told(name).tolist()]
            values = len(set(told) - {None})
            if values <= min(MOST_SUBGROUPS, len(told) // FEWEST_SERIES):
                facts[name] = pl.Series(told, dtype=pl.String)
    return pl.DataFrame(facts)
