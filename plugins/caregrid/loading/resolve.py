"""Settles rows of one file that have the same key: equal ones are duplicates, others a conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from caregrid.loading.keys import ORIGIN, Layout
from caregrid.loading.spill import OUTPUT, ROW

# What a repeated row means is the feed's to say: parts of one figure, corrections, or an error.
POLICIES = ("reject", "sum", "last")
# A key that half a file shares is one mistake, not thousands: a conflict names the first lines only.
LINES_NAMED = 50
GROUP = "group"
_SPARED_BY_SUM = {"value", "observed_at", "reporting_units"}


@dataclass
class Resolution:
    """What becomes of rows that share a key.

    duplicates: frame ROW, OUTPUT, line: rows equal to one that is kept, or merged into it by
        the feed's own rule.
    conflicts: frame ROW, OUTPUT, line, value_name, GROUP: one number for all rows of one key.
    named: frame GROUP, lines: the first LINES_NAMED + 1 lines of each group in conflict, sorted.
    changed: whole rows that stand in for those of the same ROW (sums).
    """

    duplicates: pl.DataFrame
    conflicts: pl.DataFrame
    named: pl.DataFrame
    changed: pl.DataFrame | None = None
    dropped: pl.Series = field(init=False)

    def __post_init__(self) -> None:
        rows = [self.duplicates[ROW], self.conflicts[ROW]]
        if self.changed is not None:
            rows.append(self.changed[ROW])
        self.dropped = pl.concat(rows)

    @classmethod
    def joined(cls, parts: Sequence[Resolution]) -> Resolution:
        """Return what becomes of all rows of parts (at least one) that have no key in common."""
        changed = [part.changed for part in parts if part.changed is not None]
        return cls(
            duplicates=pl.concat([part.duplicates for part in parts]),
            conflicts=pl.concat([part.conflicts for part in parts]),
            named=pl.concat([part.named for part in parts]),
            changed=pl.concat(changed) if changed else None,
        )


def resolve(
    layout: Layout,
    suspects: pl.DataFrame,
    policies: Mapping[int, str],
    record_hashes: pl.DataFrame | None = None,
) -> Resolution:
    """Settle the suspects of one contract; but for `last`, the order of the rows does not matter.

    Args:
        layout: key and value columns of the contract.
        suspects: whole rows (see Spill) that may share a key; single ones among them stay untouched.
        policies: on_conflict by number of output.
        record_hashes: line and record_hash (UInt64) of the source records, needed where a policy is `sum`:
            rows equal after mapping are parts of the sum unless the records themselves are equal.
    """
    key, values = list(layout.key), list(layout.values)
    order = [*ORIGIN, OUTPUT, ROW]
    rows = suspects.sort(order)
    rows = rows.with_columns(pl.col(ROW).min().over(key).alias(GROUP))
    rows = rows.filter(pl.len().over(GROUP) > 1)
    policy = pl.col(OUTPUT).replace_strict(dict(policies), return_dtype=pl.String)
    rows = rows.with_columns(policy.alias("policy"))
    # Outputs that disagree about repetition agree on nothing: the strictest rule holds.
    rows = rows.with_columns(
        pl.when(pl.col("policy").n_unique().over(GROUP) > 1)
        .then(pl.lit("reject"))
        .otherwise(pl.col("policy"))
        .alias("policy")
    )
    sums, others = rows.filter(pl.col("policy") == "sum"), rows.filter(pl.col("policy") != "sum")
    equal = _equal(others, values)
    single = others.filter(equal)
    kept_first = single.filter(pl.int_range(pl.len()).over(GROUP) == 0)
    differing = others.filter(~equal)
    last = differing.filter(pl.col("policy") == "last")
    conflicts = differing.filter(pl.col("policy") == "reject")
    not_last = last.filter(pl.int_range(pl.len()).over(GROUP) < pl.len().over(GROUP) - 1)
    duplicates = [single.join(kept_first, on=ROW, how="anti"), not_last]
    changed = None
    if sums.height:
        changed, merged, unsummable = _sum(sums, values, record_hashes)
        duplicates.append(merged)
        conflicts = pl.concat([conflicts, unsummable])
    return Resolution(
        duplicates=pl.concat([frame.select(ROW, OUTPUT, "line") for frame in duplicates]),
        conflicts=conflicts.select(ROW, OUTPUT, *ORIGIN, GROUP),
        named=conflicts.group_by(GROUP).agg(
            pl.col("line").unique().sort().head(LINES_NAMED + 1).alias("lines")
        ),
        changed=changed,
    )


def _equal(rows: pl.DataFrame, values: list[str]) -> pl.Series:
    """Return, per row, whether all rows of its group agree in every value."""
    return rows.select((pl.struct(values).n_unique().over(GROUP) == 1).alias("equal"))["equal"]


def _sum(
    rows: pl.DataFrame, values: list[str], record_hashes: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return (sums under the ROW of their first part, rows merged into them, rows that cannot be summed)."""
    if record_hashes is None:
        raise ValueError("summing needs the hashes of the source records")
    whole = rows.columns
    of_these = record_hashes.join(rows.select("line").unique(), on="line", how="semi").unique("line")
    rows = rows.join(of_these, on="line", how="left", maintain_order="left")
    repeated = pl.int_range(pl.len()).over(GROUP, "record_hash", "value_name") > 0
    # A record given twice counts once; two records that happen to agree are two parts.
    copies = rows.filter(repeated).select(whole)
    parts = rows.filter(~repeated)
    fixed = [name for name in values if name not in _SPARED_BY_SUM]
    summable = parts.select(
        (
            (pl.struct(fixed).n_unique().over(GROUP) == 1) & (pl.col("value").is_not_null().all().over(GROUP))
        ).alias("summable")
    )["summable"]
    unsummable = parts.filter(~summable)
    good = parts.filter(summable)
    copies_of_unsummable = copies.join(unsummable.select(GROUP).unique(), on=GROUP, how="semi")
    copies = copies.join(unsummable.select(GROUP).unique(), on=GROUP, how="anti")
    first = pl.int_range(pl.len()).over(GROUP) == 0
    several = pl.len().over(GROUP) > 1
    changed = (
        good.with_columns(
            pl.col("value").sum().over(GROUP),
            pl.col("observed_at").max().over(GROUP),
            pl.col("reporting_units").sum().over(GROUP).replace(0, None).cast(pl.Int32),
        )
        .filter(first & several)
        .select(whole)
    )
    merged = pl.concat([good.filter(~first).select(whole), copies])
    return changed.drop(GROUP, "policy"), merged, pl.concat([unsummable.select(whole), copies_of_unsummable])
