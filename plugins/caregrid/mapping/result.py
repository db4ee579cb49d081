"""Parts candidate rows into mapped rows, rejects and filtered rows; nothing is lost between them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from caregrid.contracts import Contract
from caregrid.feeds.model import Output
from caregrid.mapping.table import Problem, Table, any_of, compiled, expression_columns
from caregrid.mapping.types import ROW_COLUMNS, Mapped, Reject

FILTERED_SCHEMA = {"line": pl.Int32, "value_name": pl.String}


@dataclass
class Candidate:
    """One value of every record.

    The row it would be, what is wrong with it, and whether the feed means it at all.
    """

    value_name: str
    frame: pl.DataFrame  # one row per record of the table, in order
    problems: list[Problem]
    filtered: pl.Series


def settle(
    table: Table, output: Output, contract: Contract, candidates: list[Candidate], left_out: pl.Series
) -> Mapped:
    """Check the contract's rules, then part rows from rejects and filtered rows.

    left_out: lines of records that `where` leaves out; each counts as one filtered row without value_name.
    """
    rows: list[pl.DataFrame] = []
    rejects: list[Reject] = []
    filtered = [
        pl.DataFrame(
            {"line": left_out, "value_name": pl.repeat("", len(left_out), dtype=pl.String, eager=True)},
            schema=FILTERED_SCHEMA,
        )
    ]
    columns = ROW_COLUMNS[contract.name]
    for candidate in candidates:
        problems = [*candidate.problems, *_broken_rules(candidate.frame, contract)]
        bad = any_of((problem.mask for problem in problems), table.height) & ~candidate.filtered
        if bad.any():
            rejects += _rejects(table, output, candidate, problems, bad)
        out = candidate.filtered
        if out.any():
            filtered.append(
                candidate.frame.filter(out).select(
                    pl.col("line").cast(pl.Int32), pl.lit(candidate.value_name).alias("value_name")
                )
            )
        good = candidate.frame.filter(~(bad | out)) if bad.any() or out.any() else candidate.frame
        rows.append(good.select(pl.col(name).cast(kind) for name, kind in columns.items()))
    produced = len(left_out) + table.height * len(candidates)
    together = pl.concat(rows) if rows else pl.DataFrame(schema=columns)
    return Mapped(together, rejects, pl.concat(filtered), produced)


def _broken_rules(frame: pl.DataFrame, contract: Contract) -> list[Problem]:
    usable = [rule for rule in contract.rules if set(expression_columns(rule.holds)) <= set(frame.columns)]
    if not usable:
        return []
    masks = frame.select(
        (~compiled(rule.holds)).fill_null(False).alias(str(index)) for index, rule in enumerate(usable)
    )
    broken = []
    for index, rule in enumerate(usable):
        mask = masks[str(index)]
        if mask.any():
            shown = frame[rule.field] if rule.field in frame.columns else None
            text = rule.message if shown is None else f"{rule.message}: {{value}}"
            broken.append(Problem(mask, rule.code, rule.field, text, shown))
    return broken


def _rejects(
    table: Table, output: Output, candidate: Candidate, problems: list[Problem], bad: pl.Series
) -> list[Reject]:
    reasons: dict[int, list[dict[str, str]]] = {row: [] for row in bad.arg_true().to_list()}
    for problem in problems:
        for row in problem.mask.arg_true().to_list():
            if row in reasons and (reason := problem.reason(row)) not in reasons[row]:
                reasons[row].append(reason)
    lines = table.lines
    return [
        Reject(int(lines[row]), output.name, candidate.value_name, found, table.record(row))
        for row, found in reasons.items()
    ]
