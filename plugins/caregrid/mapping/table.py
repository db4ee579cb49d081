"""One batch as the mapper sees it: stripped columns, expressions over them, work shared by equal cells."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from caregrid.feeds.model import Feed, Source
from caregrid.mapping.readers.content import INVISIBLE
from caregrid.mapping.types import UTC_TIME, FileContext, RecordBatch, UnreadableFile

_MEMO_LIMIT = 200_000
_SHOWN = 240
_AROUND = [*INVISIBLE, '="']


@dataclass(frozen=True)
class Problem:
    """Cells that cannot be.

    mask: where, over the batch. message: what to say; {value} in it becomes the cell of `shown`.
    """

    mask: pl.Series
    code: str
    field: str
    message: str
    shown: pl.Series | None = None

    def reason(self, row: int) -> dict[str, str]:
        """Return the reason for one row, ready for rejected.record."""
        # What is the whole message is no cell to be quoted.
        show = _cut if self.message == "{value}" else _shown
        value = "" if self.shown is None else show(self.shown[row])
        return {"code": self.code, "field": self.field, "message": self.message.replace("{value}", value)}


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return _cut(value if isinstance(value, date) else repr(value))


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


class Table:
    """The records of one batch that an output takes."""

    def __init__(self, feed: Feed, source: Source, batch: RecordBatch, context: FileContext) -> None:
        self.feed = feed
        self.source = source
        self.context = context
        self.zone = ZoneInfo(feed.timezone)
        self.lines = batch.lines
        self.frame = batch.frame
        self._texts: dict[str, pl.Series] = {}
        self._words = ["", *source.missing]
        self.cache: dict[Any, Any] = {}

    @property
    def height(self) -> int:
        """Return the number of records."""
        return self.frame.height

    def filter(self, mask: pl.Series) -> Table:
        """Return the records where the mask is true."""
        table = Table.__new__(Table)
        table.feed, table.source, table.context, table.zone = self.feed, self.source, self.context, self.zone
        table.lines, table.frame = self.lines.filter(mask), self.frame.filter(mask)
        table._texts, table._words, table.cache = {}, self._words, {}
        return table

    def resolve(self, names: str | Sequence[str]) -> str | None:
        """Return the first of several names that the file has, None when it has none of them."""
        known = self.context.state.get("columns")
        if known is None:
            known = self.context.state["columns"] = set(self.context.columns)
        return next((name for name in ([names] if isinstance(names, str) else names) if name in known), None)

    def text(self, name: str) -> pl.Series:
        """Return a column as stripped text, '' where there is nothing.

        Constant columns that were checked are ''.
        """
        if name not in self._texts:
            if name not in self.frame.columns or name in self.context.constant_columns:
                self._texts[name] = self.repeat("")
            else:
                text = self._texts[name] = cleaned(self.frame[name])
                filled = self.context.state.setdefault("filled", {})
                filled[name] = filled.get(name, False) or bool((~text.is_in(self._words)).any())
        return self._texts[name]

    def typed(self, name: str) -> pl.Series | None:
        """Return a column that is not text as it came (Parquet), else None."""
        if name not in self.frame.columns or name in self.context.constant_columns:
            return None
        column = self.frame[name]
        return None if column.dtype == pl.String else column

    def repeat(self, value: Any, dtype: Any = None) -> pl.Series:
        """Return one value for every record."""
        return pl.repeat(
            value,
            self.height,
            dtype=dtype or (pl.String if isinstance(value, str) or value is None else None),
            eager=True,
        )

    def evaluate(self, expression: str, columns: dict[str, pl.Series] | None = None) -> pl.Series:
        """Return a SQL expression over the text columns (or the given ones), one value per record.

        Raises UnreadableFile when it fails on a cell of this file, as CAST does on text that is no number.
        """
        names = expression_columns(expression)
        given = columns or {}
        frame = pl.DataFrame({name: given[name] if name in given else self.text(name) for name in names})
        frame = frame if names else pl.DataFrame({"": self.repeat("")})
        try:
            result = frame.select(compiled(expression).alias("result"))["result"]
        except pl.exceptions.PolarsError as error:
            raise UnreadableFile(
                "expression_failed",
                f"the expression {expression!r} fails on a cell of this file: {str(error).splitlines()[0]}; "
                "make it hold for any text a cell may have, for example by TRY_CAST for CAST, and replay",
            ) from error
        return result if len(result) == self.height else result.new_from_index(0, self.height)

    def record(self, row: int) -> dict[str, Any]:
        """Return a record as received, for a reject."""
        records = self.cache.setdefault("records", {})
        if row not in records:
            values = self.frame.row(row, named=True)
            records[row] = {
                name: value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
                for name, value in values.items()
            }
        return records[row]


def cleaned(column: pl.Series) -> pl.Series:
    """Return a column as text without what stands around the words, '' where there is nothing.

    Around them stand spaces, marks without a width, and the `="01001"` by which spreadsheets keep zeros.
    """
    text = as_text(column).str.strip_chars().fill_null("")
    if text.str.contains_any(_AROUND).any():
        text = text.str.strip_chars(INVISIBLE + string.whitespace + "\u00a0")
        text = text.str.replace(r'^="([^"]*)"$', "${1}").str.strip_chars()
    return text


def as_text(column: pl.Series) -> pl.Series:
    """Return a typed column as text: times in ISO 8601, with an offset where the type has a zone."""
    if column.dtype == pl.String:
        return column
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.strftime(
            "%Y-%m-%dT%H:%M:%S%.6f%:z" if column.dtype.time_zone else "%Y-%m-%dT%H:%M:%S%.6f"
        )
    if column.dtype == pl.Date:
        return column.dt.strftime("%Y-%m-%d")
    if column.dtype == pl.Binary:
        try:
            return column.cast(pl.String)
        except pl.exceptions.PolarsError:  # bytes that are no text; hexadecimal keeps them whole
            return column.bin.encode("hex")
    return column.cast(pl.String)


@lru_cache(maxsize=512)
def compiled(expression: str) -> pl.Expr:
    """Return a SQL expression compiled. Raises polars' SQL errors."""
    return pl.sql_expr(expression)


@lru_cache(maxsize=512)
def expression_columns(expression: str) -> tuple[str, ...]:
    """Return the columns an expression reads, each once."""
    return tuple(dict.fromkeys(compiled(expression).meta.root_names()))


def by_unique(
    columns: Sequence[pl.Series],
    compute: Callable[..., tuple[Any, ...]],
    schema: dict[str, Any],
    memo: dict[Any, Any],
) -> pl.DataFrame:
    """Apply a Python function once per distinct combination of cells and return its results for every row.

    Columns of type UTC_TIME in the schema are computed as whole microseconds since 1970.
    """
    keys = [f"key_{index}" for index in range(len(columns))]
    frame = pl.DataFrame([column.alias(key) for column, key in zip(columns, keys, strict=True)])
    distinct = frame.unique()
    if len(memo) > _MEMO_LIMIT:
        memo.clear()
    results = []
    for combination in distinct.iter_rows():
        if combination not in memo:
            memo[combination] = compute(*combination)
        results.append(memo[combination])
    stored = {name: pl.Int64 if kind == UTC_TIME else kind for name, kind in schema.items()}
    values = pl.DataFrame(results, schema=stored, orient="row")
    joined = frame.join(
        pl.concat([distinct, values], how="horizontal"),
        on=keys,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    times = [name for name, kind in schema.items() if kind == UTC_TIME]
    return joined.drop(keys).with_columns(pl.col(times).cast(UTC_TIME))


def any_of(masks: Iterable[pl.Series], height: int) -> pl.Series:
    """Return where any mask is true."""
    result = pl.repeat(False, height, dtype=pl.Boolean, eager=True)
    for mask in masks:
        result = result | mask
    return result
