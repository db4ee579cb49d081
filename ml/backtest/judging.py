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


def judge(cells: Cells, table: Table, champion: str, baseline: str, feed: str) -> dict[str, pl.DataFrame]:
    """Return what the gate says of every model but the champion and those that are always there.

    Args:
        champion: whose place is at stake; baseline: beside which a model must be good enough to serve at all.

    Returns:
        verdicts (model, beside, answer, reason) and gate, the checks behind them; {} where there is nobody to
        judge.
    """
    import polars as pl

    test = Judged(NAMES[table.frequency], feed, cells, _facts(table))
    told, checks = [], []
    for name, model in cells.models.items():
        if name in (champion, baseline, *ALWAYS) or not len(model.code):
            continue
        verdict = promotion.decide(
            _pairs(test, name, baseline), _pairs(test, name, champion), champion_serves=(test.grain,)
        )
        told.append((name, champion, verdict.answer, verdict.reason))
        checks += [{"model": name, **row} for row in verdict.table]
    if not told:
        return {}
    return {
        "verdicts": pl.DataFrame(told, schema=list(VERDICTS), orient="row"),
        "gate": pl.DataFrame(checks, infer_schema_length=None),
    }


def _pairs(test: Judged, model: str, other: str) -> dict[str, paired.Paired]:
    found = paired.paired([test], model, other)
    return {} if found is None else {test.grain: found}


def _facts(table: Table) -> pl.DataFrame:
    """Return unique_id and every text that does not change with time: what subgroups are made of."""
    import polars as pl

    facts = {"unique_id": pl.Series(table.ids, dtype=pl.String)}
    for name in table.static:
        if name in table.texts:
            told = table.first_told(name).tolist()
            facts[name] = pl.Series([one or None for one in told], dtype=pl.String)
    return pl.DataFrame(facts)
