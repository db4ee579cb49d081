"""The forecast hubs' files (hubverse, as the CDC's FluSight): read others' forecasts, write our own."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from caregrid.errors import CareGridError

from .. import parquet
from .hub_export import COLUMNS, STEPS_AHEAD, export, stored

if TYPE_CHECKING:
    import polars as pl

__all__ = ["COLUMNS", "STEPS_AHEAD", "HubFiles", "align", "export", "model_name", "read", "stored"]

ENDINGS = (".csv", ".csv.gz", ".parquet")
NAMED_BY_DATE = re.compile(r"\d{4}-\d{2}-\d{2}-(.+)")


@dataclass
class HubFiles:
    """Quantile forecasts of one target as others submitted them.

    Args:
        rows: model, unique_id (the location), reference_date, ds (target_end_date), hub_horizon, quantile,
            value.
        target: the one that was read.
        left_out: {why: rows}.
        files: how many were read.
    """

    rows: pl.DataFrame
    target: str
    left_out: Counter[str] = field(default_factory=Counter)
    files: int = 0


def read(directory: Path, target: str | None = None) -> HubFiles:
    """Read every submission below a directory: model-output, one team's folder in it, or a heap of files.

    A file named DATE-TEAM-MODEL belongs to TEAM-MODEL, any other to the folder it lies in. Output types other
    than quantiles are left out and counted, other targets too.

    Args:
        directory: where the csv, csv.gz and parquet files lie, at any depth.
        target: which to read; None where the files hold quantiles over several horizons of one target only.

    Raises:
        CareGridError: nothing is there, columns are missing, a field is no number or date, or targets are
            several.
    """
    import polars as pl

    if not directory.is_dir():
        raise CareGridError(
            "there is no such directory", where=str(directory), fix="name the folder of the submissions"
        )
    files = sorted(path for path in directory.rglob("*") if path.name.lower().endswith(ENDINGS))
    if not files:
        raise CareGridError(
            f"there is no file ending in {', '.join(ENDINGS)}",
            where=str(directory),
            fix="name the folder of the submissions",
        )
    left_out: Counter[str] = Counter()
    parts = [_one_file(path, left_out) for path in files]
    whole = pl.concat(parts)
    targets = whole["target"].unique().sort().to_list()
    if target is None and len(targets) != 1:
        raise CareGridError(
            f"there are quantiles of {len(targets)} targets: {', '.join(targets) or 'none'}",
            where=str(directory),
            fix="name the target to read" if targets else "give quantile forecasts",
        )
    wanted = target if target is not None else targets[0]
    if wanted not in targets:
        raise CareGridError(
            f"no quantile of target {wanted!r}; there are {', '.join(targets) or 'none'}",
            where=str(directory),
            fix="name one of these targets",
        )
    for name, count in whole.filter(pl.col("target") != wanted).group_by("target").len().iter_rows():
        left_out[f"target {name}"] += count
    return HubFiles(whole.filter(pl.col("target") == wanted).drop("target"), wanted, left_out, len(files))


def _one_file(path: Path, left_out: Counter[str]) -> pl.DataFrame:
    """Return the quantile rows of one file, typed."""
    import polars as pl

    try:
        if path.name.lower().endswith(".parquet"):
            frame = parquet.read(path)
        else:
            frame = pl.read_csv(path, infer_schema=False, null_values=["NA", ""])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CareGridError(
            f"it cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="give a table with a header, or take the file away",
        ) from None
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise CareGridError(
            f"it lacks {', '.join(missing)}", where=str(path), fix=f"give the columns {', '.join(COLUMNS)}"
        )
    frame = frame.select(pl.col(COLUMNS).cast(pl.String).str.strip_chars())
    quantiles = frame.filter(pl.col("output_type") == "quantile")
    for kind, count in frame.filter(pl.col("output_type") != "quantile").group_by("output_type").len().rows():
        left_out[f"output type {kind}"] += count
    # A season's peak has no horizon: another question than what will be when.
    dated = quantiles.filter(pl.col("horizon").is_not_null() & pl.col("target_end_date").is_not_null())
    for name, count in (
        quantiles.filter(pl.col("horizon").is_null() | pl.col("target_end_date").is_null())
        .group_by("target").len().rows()
    ):  # fmt: skip
        left_out[f"target {name}, which has no horizon"] += count
    typed = dated.select(
        model=pl.lit(model_name(path)),
        target=pl.col("target"),
        unique_id=pl.col("location"),
        reference_date=pl.col("reference_date").str.to_datetime("%Y-%m-%d", time_unit="us", strict=False),
        ds=pl.col("target_end_date").str.to_datetime("%Y-%m-%d", time_unit="us", strict=False),
        hub_horizon=pl.col("horizon").cast(pl.Float64, strict=False).cast(pl.Int64, strict=False),
        quantile=pl.col("output_type_id").cast(pl.Float64, strict=False),
        value=pl.col("value").cast(pl.Float64, strict=False),
    )
    bad = typed.with_row_index("row").filter(
        pl.any_horizontal(pl.exclude("row").is_null())
        | ~pl.col("value").is_finite()
        | ~pl.col("quantile").is_between(0, 1, closed="none")
    )
    if len(bad):
        row = dated.row(bad["row"][0], named=True)
        raise CareGridError(
            f"{len(bad)} rows have no date, level or number where one must be, first: "
            + ", ".join(f"{name} {row[name]!r}" for name in COLUMNS),
            where=str(path),
            fix="write dates as 2025-01-31, levels between 0 and 1, and numbers",
        )
    return typed


def model_name(path: Path) -> str:
    """Return whose forecasts a file holds."""
    stem = path.name
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
            break
    dated = NAMED_BY_DATE.fullmatch(stem)
    return dated.group(1) if dated else path.parent.name


def align(found: HubFiles, ours: pl.DataFrame, steps_ahead: int = STEPS_AHEAD) -> pl.DataFrame:
    """Return others' forecasts as rows of ours: those that are about a target of one of our cutoffs.

    A file of a hub does not say by when its maker knew what. Its forecast stands beside ours of the cutoff
    that has the same period at the same horizon, hub horizon + steps_ahead; in the FluSight hub the file of
    reference date R is due in the week before R ends, so that is the cutoff R − 7 days. What has no such
    place is left out and counted in `found.left_out`.

    Args:
        found: as read.
        ours: rows with unique_id, cutoff, ds, horizon of our cells; more columns do no harm.
        steps_ahead: what is added to a hub's horizon.

    Returns:
        unique_id, cutoff, ds, horizon, model, quantile, value.

    Raises:
        CareGridError: a model bears the name of one of ours, or nothing has a place.
    """
    import polars as pl

    if "model" in ours.columns:
        same = set(found.rows["model"].unique()) & set(ours["model"].unique())
        if same:
            raise CareGridError(
                f"{', '.join(sorted(same))} is the name of a model of ours",
                where="the submissions",
                fix="rename the folder or the files of that model",
            )
    cells = ours.select("unique_id", "cutoff", "ds", pl.col("horizon").cast(pl.Int64)).unique()
    date = pl.col("ds").cast(pl.Datetime("us")).dt.date()
    key = cells.with_columns(date=date).rename({"ds": "our_ds"})
    rows = found.rows.with_columns(date=date, horizon=pl.col("hub_horizon") + steps_ahead)
    placed = rows.join(key, on=["unique_id", "date", "horizon"], how="left")
    known = pl.col("unique_id").is_in(cells["unique_id"].unique().implode())
    ahead = pl.col("horizon").is_in(cells["horizon"].unique().implode())
    lost = placed.filter(pl.col("cutoff").is_null()).select(
        why=pl.when(~known).then(pl.lit("location that is no series of ours"))
        .when(~ahead).then(pl.lit("horizon that is none of ours"))
        .otherwise(pl.lit("target date and horizon of no cutoff of ours"))
    )  # fmt: skip
    for why, count in lost.group_by("why").len().rows():
        found.left_out[why] += count
    kept = placed.filter(pl.col("cutoff").is_not_null())
    if not len(kept):
        told = "; ".join(f"{why}: {count} rows" for why, count in sorted(found.left_out.items()))
        raise CareGridError(
            f"no forecast is about a target of ours; {told}",
            where="the submissions",
            fix="series must be named by the hub's location codes, and weeks end on the hub's last day",
        )
    return kept.select("unique_id", "cutoff", pl.col("our_ds").alias("ds"), "horizon", "model", "quantile",
                       "value")  # fmt: skip
