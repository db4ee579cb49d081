"""Turns one mapping of the YAML into text, flags, dates and moments, with the status of what is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from caregrid.feeds.times import parse_duration
from caregrid.mapping.numerals import NumberStyle, parse_numbers
from caregrid.mapping.periods import TimeProblem, read_moment
from caregrid.mapping.stamps import read_stamp
from caregrid.mapping.table import Problem, Table, by_unique
from caregrid.mapping.types import UTC_TIME

LONGEST_KEY = 200
_INVISIBLE = "[\u200b-\u200d\u2060\ufeff]"  # pasted into codes, never part of one
_TRUE, _FALSE = {"true", "1"}, {"false", "0"}


@dataclass
class Cell:
    """A column and what is wrong with it.

    status: per cell reported | missing | suppressed | not_applicable; None where nobody asks for it.
    """

    series: pl.Series
    problems: list[Problem] = field(default_factory=list)
    status: pl.Series | None = None


def normal(spec: Any, plain: str = "column") -> dict[str, Any]:
    """Return a mapping in its long form.

    Text is a column (or a constant), a list is a column and its older names.
    """
    if isinstance(spec, dict):
        return spec
    return {plain: spec}


def is_pattern(word: str) -> bool:
    """Say whether a word for missing or suppressed is a regular expression: /…/ around all of a cell."""
    return len(word) > 2 and word.startswith("/") and word.endswith("/")


def is_fixed(spec: dict[str, Any]) -> bool:
    """Say whether a mapping is one constant; with a map it is the header's text, put there for $column."""
    return "constant" in spec and "map" not in spec


def tokens(table: Table, spec: dict[str, Any]) -> dict[str, list[str]]:
    """Return the words that mean missing, suppressed and not_applicable here; '' is always missing."""
    source = table.source
    found = {
        key: [str(token) for token in spec.get(key, getattr(source, key))]
        for key in ("missing", "suppressed", "not_applicable")
    }
    found["missing"] = list(dict.fromkeys(["", *found["missing"]]))
    return found


def statuses(text: pl.Series, words: dict[str, list[str]], numbers: pl.Series | None = None) -> pl.Series:
    """Return the status of each cell by its words.

    A word that is a number also stands for its other spellings; one between slashes (/<\\d+/) is a pattern.
    """
    result = pl.select(
        pl.when(text.is_in(words["missing"])).then(pl.lit("missing")).otherwise(pl.lit("reported"))
    ).to_series()
    for status in ("missing", "suppressed", "not_applicable"):
        mask = text.is_in(words[status]) if status != "missing" else None
        for word in words[status]:
            if is_pattern(word):
                matches = text.str.contains(f"^(?:{word[1:-1]})$").fill_null(False)
                mask = matches if mask is None else mask | matches
        values = [
            value
            for value in parse_numbers(pl.Series(words[status], dtype=pl.String), NumberStyle()).to_list()
            if value is not None
        ]
        if numbers is not None and values:
            equal = numbers.is_in(values).fill_null(False)
            mask = equal if mask is None else mask | equal
        if mask is not None and mask.any():
            result = result.set(mask, status)
    return result


def text_cell(table: Table, spec: Any, name: str, *, plain: str = "column", identifier: bool = False) -> Cell:
    """Return text, null where missing.

    Args:
        table: the records.
        spec: the mapping.
        name: what problems call the cell.
        plain: what plain text in the YAML is here, `column` or `constant`.
        identifier: whether full-width digits and letters become ordinary ones (NFKC).
    """
    spec = normal(spec, plain)
    if is_fixed(spec):
        constant = spec["constant"]
        return Cell(table.repeat(None if constant is None else _word(constant), pl.String))
    raw = origin_text(table, spec)
    problems: list[Problem] = []
    if identifier and raw.str.contains("[^\\x00-\\x7f]").any():
        raw = raw.str.normalize("NFKC").str.replace_all(_INVISIBLE, "").str.strip_chars()
    if "case" in spec:
        raw = raw.str.to_uppercase() if spec["case"] == "upper" else raw.str.to_lowercase()
    status = statuses(raw, tokens(table, spec))
    missing = status != "reported"
    text = raw.set(missing, None)
    if "map" in spec:
        text, unknown = mapped(raw, missing, spec)
        if unknown.any():
            problems.append(
                Problem(unknown, "unknown_code", name, "{value} is no code that the feed maps", raw)
            )
    return Cell(text, problems, status)


def key_cell(table: Table, spec: Any, name: str, *, plain: str = "column", identifier: bool = False) -> Cell:
    """Return text that rows are known by; one longer than any code is a problem of its row.

    A column of prose taken for a code would else stop the whole file: an index has no room for it.
    """
    cell = text_cell(table, spec, name, plain=plain, identifier=identifier)
    long = (cell.series.str.len_chars() > LONGEST_KEY).fill_null(False)
    if long.any():
        message = f"a code has no more than {LONGEST_KEY} characters: {{value}}"
        cell.problems.append(Problem(long, "too_long", name, message, cell.series))
    return cell


def mapped(raw: pl.Series, missing: pl.Series, spec: dict[str, Any]) -> tuple[pl.Series, pl.Series]:
    """Return the mapped text and where the code is unknown.

    A code in the map comes before a word for missing.
    """
    keys = list(spec["map"])
    words = [None if value is None else _word(value) for value in spec["map"].values()]
    known = raw.is_in(keys)
    mapped = raw.replace_strict(
        pl.Series(keys, dtype=pl.String),
        pl.Series(words, dtype=pl.String),
        default=None,
        return_dtype=pl.String,
    )
    other = ~known & ~missing
    otherwise = spec.get("otherwise", "reject")
    if otherwise == "keep":
        mapped = mapped.zip_with(~other, raw)
    elif otherwise not in ("reject", "missing"):
        mapped = mapped.set(other, otherwise)
    return mapped, other if otherwise == "reject" else pl.repeat(
        False, len(raw), dtype=pl.Boolean, eager=True
    )


def _word(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def origin_text(table: Table, spec: dict[str, Any]) -> pl.Series:
    """Return the text a mapping starts from, or the part that `extract` takes; '' where there is nothing."""
    text = _whole_origin(table, spec)
    return text.str.extract(spec["extract"], 1).fill_null("").str.strip_chars() if "extract" in spec else text


def _whole_origin(table: Table, spec: dict[str, Any]) -> pl.Series:
    if "column" in spec:
        name = table.resolve(spec["column"])
        return table.text(name) if name is not None else table.repeat("")
    if "constant" in spec:
        return table.repeat(_word(spec["constant"]))
    if "expr" in spec:
        return table.evaluate(spec["expr"]).cast(pl.String).fill_null("").str.strip_chars()
    if "join" in spec:
        names = [table.resolve(part) for part in spec["join"]]
        parts = pl.DataFrame(
            [
                (table.text(part) if part else table.repeat("")).alias(str(index))
                for index, part in enumerate(names)
            ]
        )
        filled = parts.select(pl.all().replace("", None))
        return (
            filled.select(pl.concat_str(pl.all(), separator=spec.get("separator", " "), ignore_nulls=True))
            .to_series()
            .fill_null("")
        )
    if "file_name" in spec:
        found = re.search(spec["file_name"], table.context.file_name)
        return table.repeat(found[1] if found else "")
    raise ValueError(f"{spec} has no origin")


def flag_cell(table: Table, spec: Any, name: str) -> Cell:
    """Return Boolean: true, false, 1, 0 after the map; missing is false."""
    if isinstance(spec, bool):
        return Cell(table.repeat(spec, pl.Boolean))
    cell = text_cell(table, spec, name)
    low = cell.series.fill_null("false").str.to_lowercase()
    bad = ~low.is_in([*_TRUE, *_FALSE])
    problems = list(cell.problems)
    if bad.any():
        problems.append(Problem(bad, "not_a_flag", name, "{value} is neither true nor false", cell.series))
    return Cell(low.is_in(list(_TRUE)), problems)


def _formats(table: Table, spec: dict[str, Any]) -> list[str]:
    """Return the formats to try; a typed column (Parquet) was turned into ISO 8601 text."""
    column = table.resolve(spec["column"]) if "column" in spec else None
    if column and table.typed(column) is not None:
        return ["iso8601"]
    formats = spec.get("format", ["iso8601"])
    return [formats] if isinstance(formats, str) else list(formats)


def date_cell(table: Table, spec: Any, name: str) -> Cell:
    """Return Date, local as written."""
    spec = normal(spec)
    cell = text_cell(table, spec, name)
    formats = _formats(table, spec)

    def compute(text: str | None) -> tuple[date | None, str | None]:
        if text is None:
            return None, None
        try:
            return read_stamp(text, formats).moment.date(), None
        except ValueError as error:
            return None, str(error)

    memo = table.context.state.setdefault(("date", tuple(formats)), {})
    found = by_unique([cell.series], compute, {"day": pl.Date, "error": pl.String}, memo)
    bad = found["error"].is_not_null()
    if bad.any():
        cell.problems.append(
            Problem(bad, "unparseable_date", name, "{value} is no date the feed declares", cell.series)
        )
    return Cell(found["day"], cell.problems)


def moment_cell(table: Table, spec: dict[str, Any], name: str) -> Cell:
    """Return a moment in UTC, null where missing; `plus` is added."""
    formats = _formats(table, spec)
    cell = text_cell(table, spec, name)
    plus = parse_duration(spec["plus"]) if "plus" in spec else None
    ambiguous = spec.get("ambiguous", "earliest")

    def compute(text: str | None) -> tuple[int | None, str | None, str | None]:
        if text is None:
            return None, None, None
        try:
            moment = read_moment(text, formats, table.zone, ambiguous)
        except TimeProblem as error:
            return None, error.code, str(error)
        return microseconds(moment + plus if plus else moment), None, None

    memo = table.context.state.setdefault(
        ("moment", table.feed.timezone, tuple(formats), spec.get("plus"), ambiguous), {}
    )
    found = by_unique(
        [cell.series], compute, {"moment": UTC_TIME, "code": pl.String, "error": pl.String}, memo
    )
    for code in found["code"].drop_nulls().unique().to_list():
        mask = (found["code"] == code).fill_null(False)
        cell.problems.append(Problem(mask, code, name, "{value}", found["error"]))
    return Cell(found["moment"], cell.problems)


def microseconds(moment: Any) -> int:
    """Return whole microseconds since 1970 of an aware moment."""
    from datetime import UTC, datetime, timedelta

    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
