"""Our forecasts in the form in which a forecast hub takes submissions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from caregrid.errors import CareGridError

from .cells import has_columns
from .reading import COLUMNS as FORECAST

if TYPE_CHECKING:
    import polars as pl

COLUMNS = (
    "reference_date", "location", "horizon", "target", "target_end_date", "output_type", "output_type_id",
    "value",
)  # fmt: skip
# A hub counts its horizons from the period of the reference date, the first that is not over when forecasts
# are due: its horizon 0 is the first step of ours.
STEPS_AHEAD = 1


def stored(path: Path) -> pl.LazyFrame:
    """Return the forecasts of a back-test's file, unread."""
    import polars as pl

    try:
        rows = pl.scan_parquet(path)
        has_columns(rows.collect_schema().names(), FORECAST, str(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CareGridError(
            f"it cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="name the forecasts.parquet of a back-test",
        ) from None
    return rows


def export(
    forecasts: pl.DataFrame | pl.LazyFrame,
    model: str,
    target: str,
    out: Path,
    *,
    name: str | None = None,
    reference_dates: list[str] | None = None,
    locations: Mapping[str, str] | None = None,
    steps_ahead: int = STEPS_AHEAD,
) -> tuple[list[Path], Counter[str]]:
    """Write one submission per cutoff to OUT/NAME/REFERENCE_DATE-NAME.csv, in the hub's form.

    The reference date is the last day of the first period forecast (hub horizon 0).

    Args:
        forecasts: rows as the back-test writes them.
        model: which of their models to write; name: what the hub calls it (TEAM-MODEL), by default the same.
        target: the hub's name of what is forecast, for instance `wk inc flu hosp`.
        reference_dates: only these, written 2025-01-31; None for all.
        locations: {series: location}; series that are not in it are left out and counted. None: series are
            named by location.

    Returns:
        the files, and {why: cells} left out.
    """
    import polars as pl

    rows = forecasts.lazy().filter(pl.col("model") == model).collect()
    if not len(rows):
        raise CareGridError(
            f"there is no forecast of model {model}", where="forecasts", fix="name a model of the file"
        )
    called = name or model
    if not re.fullmatch(r"[A-Za-z0-9_+-]+", called):
        raise CareGridError(
            f"{called!r} cannot name a file of a hub", fix="give a name of letters, digits, - and _"
        )
    left_out: Counter[str] = Counter()
    if locations is not None:
        given = rows.with_columns(
            location=pl.col("unique_id").replace_strict(dict(locations), default=None, return_dtype=pl.String)
        )
        unmapped = given.filter(pl.col("location").is_null())
        for series in unmapped["unique_id"].unique().sort():
            left_out[f"series {series} has no location"] = len(unmapped.filter(pl.col("unique_id") == series))
        rows = given.filter(pl.col("location").is_not_null())
    else:
        rows = rows.with_columns(location=pl.col("unique_id").cast(pl.String))
    firsts = rows.filter(pl.col("horizon") == 1).group_by("cutoff").agg(reference_date=pl.col("ds").min())
    rows = rows.join(firsts, on="cutoff", how="inner").with_columns(
        pl.col("reference_date", "ds").dt.strftime("%Y-%m-%d")
    )
    if reference_dates is not None:
        absent = sorted(set(reference_dates) - set(rows["reference_date"].unique()))
        if absent:
            raise CareGridError(
                f"no cutoff has the reference date {', '.join(absent)}; there are "
                + ", ".join(rows["reference_date"].unique().sort()),
                where="forecasts",
                fix="give one of these dates",
            )
        rows = rows.filter(pl.col("reference_date").is_in(reference_dates))
    table = rows.sort("reference_date", "location", "horizon", "quantile").select(
        "reference_date",
        "location",
        horizon=pl.col("horizon").cast(pl.Int64) - steps_ahead,
        target=pl.lit(target),
        target_end_date=pl.col("ds"),
        output_type=pl.lit("quantile"),
        output_type_id=pl.col("quantile").round(6).cast(pl.String),
        value=pl.col("value"),
    )
    paths = []
    for (date,), part in table.group_by("reference_date", maintain_order=True):
        path = out / called / f"{date}-{called}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        part.select(COLUMNS).write_csv(path)
        paths.append(path)
    return paths, left_out
