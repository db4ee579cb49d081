"""A table of encounters as a risk trainer reads it: rows, what their columns are for, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")
EVENT, AMOUNT = "event", "amount"
# What common files write for yes and no, where nobody said which value is the event.
PAIRS = (
    ("1", "0"), ("1.0", "0.0"), ("true", "false"), ("True", "False"), ("yes", "no"), ("Yes", "No"),
    ("Y", "N"),
)  # fmt: skip
YES_NO = {frozenset(pair): pair[0] for pair in PAIRS}
FEWEST_ROWS = 50


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for.

    Args:
        outcome: column to be foretold; `positive`: its value that is the event (None: an amount, or yes of
            yes and no).
        time: column of the moment at which the score would be made; `order`: a column of numbers that stands
            in for time where a table carries none. At most one of them.
        site, person: columns; rows of one person never stand on both sides of a split.
        subgroups: columns by whose values the figures are repeated.
        known: columns known when the score is made; empty: nobody said.
        leave_out: columns that may not teach.
        categories: columns of numbers that are codes.
        excluded: {column: values} of rows that do not belong to the population.
        missing: texts that mean "not there".
    """

    outcome: str
    positive: str | None = None
    time: str | None = None
    order: str | None = None
    site: str | None = None
    person: str | None = None
    subgroups: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    excluded: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing: tuple[str, ...] = MISSING

    @property
    def named(self) -> list[str]:
        """Return every column that was named for anything."""
        one = [self.outcome, self.time, self.order, self.site, self.person]
        many = [*self.subgroups, *self.known, *self.leave_out, *self.categories, *self.excluded]
        return [name for name in [*one, *many] if name is not None]


@dataclass
class Table:
    """Rows that belong to the population, with everything but features in arrays.

    Args:
        frame: all columns, missing as null; texts are stripped.
        kind: EVENT (0 or 1) or AMOUNT (a number, for example days).
        outcome: [row]; person: [row] numbers; moment: [row] what orders rows in time, or None.
        candidates: columns that may teach.
        told: what the reader of the report should know.
        dated: whether `moment` is a date, counted in days since 1970.
    """

    roles: Roles
    frame: pl.DataFrame
    kind: str
    outcome: Floats
    person: np.ndarray
    moment: Floats | None
    site: np.ndarray | None
    candidates: list[str]
    told: list[str]
    dated: bool = False


def read(path: Path) -> pl.DataFrame:
    """Return a CSV (also .gz) or Parquet file, a CSV's cells as text."""
    import polars as pl
    from caregrid.errors import CareGridError

    from .. import parquet

    if not path.is_file():
        raise CareGridError("there is no such file", where=str(path), fix="check --table")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return parquet.read(path)
        return pl.read_csv(path, infer_schema_length=0)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CareGridError(
            f"it cannot be read as a table: {str(error).splitlines()[0]}", where=str(path),
            fix="give CSV in UTF-8 with one header line, or Parquet",
        ) from error  # fmt: skip


def clean(frame: pl.DataFrame, missing: tuple[str, ...] = MISSING) -> pl.DataFrame:
    """Return the frame with texts stripped, what means missing null, and truth values as text."""
    import polars as pl

    made = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        if kind == pl.Boolean:
            column = pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
        elif kind in (pl.String, pl.Categorical) or isinstance(kind, pl.Enum):
            text = column.cast(pl.String).str.strip_chars()
            column = pl.when(~text.is_in(list(missing))).then(text)
        elif kind.is_float():
            column = column.fill_nan(None)
        made.append(column.alias(name))
    return frame.select(made)


def prepare(frame: pl.DataFrame, roles: Roles) -> Table:
    """Return the table, or refuse it with the reason."""
    import polars as pl
    from caregrid.errors import CareGridError

    absent = sorted({name for name in roles.named if name not in frame.columns})
    if absent:
        raise CareGridError(
            f"no column {', '.join(absent)}", fix=f"the table has: {', '.join(frame.columns)}"
        )
    if roles.time and roles.order:
        raise CareGridError("--time and --order both order the rows", fix="name one of them")
    told = []
    frame = clean(frame, roles.missing)
    for name, values in sorted(roles.excluded.items()):
        before = len(frame)
        frame = frame.filter(~pl.col(name).cast(pl.String).is_in(list(values)).fill_null(value=False))
        told.append(f"{before - len(frame)} rows left out: {name} is {', '.join(values)}")
    unknown = frame[roles.outcome].null_count()
    if unknown:
        frame = frame.filter(pl.col(roles.outcome).is_not_null())
        told.append(f"{unknown} rows left out: no outcome in {roles.outcome}")
    if len(frame) < FEWEST_ROWS:
        raise CareGridError(
            f"{len(frame)} rows with an outcome, {FEWEST_ROWS} are needed to train, calibrate and test",
            fix="give more encounters",
        )
    kind, outcome = _outcome(frame[roles.outcome], roles)
    moment, dated = _moment(frame, roles)
    if moment is None:
        told.append("no time was named: the test rows are drawn, not later than the training rows")
    elif roles.order:
        told.append(f"rows are ordered by {roles.order} in place of a time, which the table does not carry")
    person = np.arange(len(frame))
    if roles.person is None:
        told.append("no person was named: encounters of one person may stand on both sides of a split")
    else:
        without = frame[roles.person].null_count()
        if without:
            told.append(f"{without} rows without {roles.person} each count as a person of their own")
        texts = frame[roles.person].cast(pl.String).to_numpy()
        alone = np.array([text is None for text in texts])
        # A prefix keeps a made-up person apart from anybody's number.
        names = np.where(alone, [f"row {at}" for at in person], np.array([f"= {text}" for text in texts]))
        person = np.unique(names, return_inverse=True)[1]
    site = None
    if roles.site is not None:
        site = frame[roles.site].cast(pl.String).fill_null("(missing)").to_numpy().astype(str)
    used = {roles.outcome, roles.time, roles.order, roles.site, roles.person}
    candidates = [name for name in frame.columns if name not in used and name not in roles.leave_out]
    if roles.known:
        later = [name for name in candidates if name not in roles.known]
        candidates = [name for name in candidates if name in roles.known]
        if later:
            told.append(f"left out, not named as known when the score is made: {', '.join(later)}")
    else:
        told.append("nobody stated which columns are known when the score is made (--known-at-prediction)")
    if roles.leave_out:
        told.append(f"left out as asked: {', '.join(roles.leave_out)}")
    if not candidates:
        raise CareGridError("no column is left to learn from", fix="name fewer columns in --leave-out")
    return Table(roles, frame, kind, outcome, person, moment, site, candidates, told, dated)


def numbers(column: pl.Series) -> Floats:
    """Return a column as numbers, NaN where there is none."""
    import polars as pl

    made = column.cast(pl.Float64, strict=False).to_numpy().astype(float)
    return np.where(np.isfinite(made), made, np.nan)


def _outcome(column: pl.Series, roles: Roles) -> tuple[str, Floats]:
    import polars as pl
    from caregrid.errors import CareGridError

    texts = column.cast(pl.String)
    values = sorted(texts.unique().to_list())
    where = f"column {roles.outcome}"
    if len(values) == 1:
        raise CareGridError(
            f"every outcome is {values[0]}: there is nothing to tell apart", where=where,
            fix="give encounters with and without the event",
        )  # fmt: skip
    if roles.positive is not None:
        if roles.positive not in values and column.dtype.is_numeric():
            # A column of 0.0 and 1.0 is asked for 1.
            wanted = numbers(pl.Series([roles.positive]))[0]
            if (numbers(column) == wanted).any():
                return EVENT, (numbers(column) == wanted).astype(float)
        if roles.positive not in values:
            raise CareGridError(
                f"no outcome is {roles.positive}", where=where,
                fix=f"--positive must be one of: {', '.join(values[:12])}",
            )  # fmt: skip
        return EVENT, (texts == roles.positive).to_numpy().astype(float)
    if len(values) == 2 and frozenset(values) in YES_NO:
        return EVENT, (texts == YES_NO[frozenset(values)]).to_numpy().astype(float)
    found = numbers(column)
    if np.isnan(found).any() or len(values) == 2:
        raise CareGridError(
            f"it is not said which of {', '.join(values[:12])} is the event",
            where=where,
            fix="name --positive",
        )
    return AMOUNT, found


def _moment(frame: pl.DataFrame, roles: Roles) -> tuple[Floats | None, bool]:
    import polars as pl
    from caregrid.errors import CareGridError

    name = roles.time or roles.order
    if name is None:
        return None, False
    column = frame[name]
    found = numbers(column) if not column.dtype.is_temporal() else np.full(len(column), np.nan)
    dated = False
    if roles.time and np.isnan(found).any():
        moments = column.cast(pl.Datetime("us")) if column.dtype.is_temporal() else _dates(column)
        found, dated = moments.dt.epoch("us").to_numpy().astype(float) / 86_400e6, True
    bad = int(np.isnan(found).sum())
    if bad:
        example = column.filter(pl.Series(np.isnan(found)))[0]
        raise CareGridError(
            f"{bad} of {len(found)} values are no {'time' if roles.time else 'number'}, such as {example}",
            where=f"column {name}", fix="leave these rows out, or write times as 2024-05-31 14:00",
        )  # fmt: skip
    return found, dated


def _dates(column: pl.Series) -> Any:
    """Return texts as moments; what is none is null. Zones are kept apart from local times by UTC."""
    import polars as pl

    frame = pl.DataFrame({"text": column.cast(pl.String)})
    plain = pl.col("text").str.replace("T", " ").str.replace(r"\.\d+$", "")
    tries = [plain.str.to_datetime(form, strict=False, time_unit="us") for form in
             ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d", "%Y%m")]  # fmt: skip
    zoned = pl.col("text").str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    return frame.select(pl.coalesce(*tries, zoned.dt.replace_time_zone(None)))["text"]
