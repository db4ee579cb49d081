"""Which mark of a sample's numbers parts decimals and which parts thousands; and what no cell can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from caregrid.mapping.numerals import NumberStyle

_AROUND = r"[%$€£¥+\-\u2212\s\u202f\u2009'\u2019]"
_SPACED = (
    (" ", r"^[1-9]\d{0,2}(?:[ \u00a0\u202f\u2009]\d{3})+(?:[.,]\d+)?$"),
    ("'", r"^[1-9]\d{0,2}(?:['\u2019]\d{3})+(?:[.,]\d+)?$"),
)
_OTHER = {",": ".", ".": ","}
_NOTES = 3
_WIDE = 300
_SPACED_LEAST = 3
_SPACED_SHARE = 0.25


@dataclass(frozen=True)
class Marks:
    """How the numbers of one column use a comma or a point.

    decimal, thousands: cells that can be read in one way only. either: one group of three digits behind the
    mark, as in 1,200. plain: cells without any mark.
    """

    decimal: int = 0
    thousands: int = 0
    either: int = 0
    plain: int = 0
    example: str = ""


@dataclass(frozen=True)
class Written:
    """How a column's numbers are written: by mark, and the sign between their groups that is no such mark.

    groups, example: how many cells have that sign, and one of them.
    """

    marks: dict[str, Marks] = field(default_factory=dict)
    spaced: str | None = None
    groups: int = 0
    example: str = ""

    @property
    def is_spaced(self) -> bool:
        """Say whether the column parts its groups by that sign, and not some cells only."""
        return self.groups > max((marks.either for marks in self.marks.values()), default=0)


def written(real: pl.Series) -> Written:
    """Return what the cells of a column of numbers show of its marks."""
    affixed = real.str.replace_all(r"[%$€£¥+\-\u2212]", "").str.strip_chars()
    found = {sign: real.filter(affixed.str.contains(pattern)) for sign, pattern in _SPACED}
    spaced = max(found, key=lambda sign: len(found[sign]))
    bare = real.str.replace_all(_AROUND, "")
    plain = int(bare.str.contains(r"^\d+$").sum())
    marks = {mark: _marks(bare, mark, plain) for mark in _OTHER}
    if not len(found[spaced]):
        return Written(marks)
    return Written(marks, spaced, len(found[spaced]), str(found[spaced][0]))


def _marks(bare: pl.Series, mark: str, plain: int) -> Marks:
    here, other = re.escape(mark), re.escape(_OTHER[mark])
    # No group of thousands begins with a nought, and before one stand three digits at most.
    either = bare.str.contains(rf"^[1-9]\d{{0,2}}{here}\d{{3}}$")
    decimal = bare.str.contains(rf"^(?:\d+|\d{{1,3}}(?:{other}\d{{3}})+){here}\d+$") & ~either
    many, behind = rf"(?:{here}\d{{3}}){{2,}}(?:{other}\d+)?", rf"{here}\d{{3}}{other}\d+"
    thousands = bare.str.contains(rf"^[1-9]\d{{0,2}}(?:{many}|{behind})$")
    found = bare.filter(either)
    return Marks(
        int(decimal.sum()), int(thousands.sum()), len(found), plain, str(found[0]) if len(found) else ""
    )


def style_of(
    columns: Iterable[tuple[str, Written]], *, is_free_text: bool, is_comma_land: bool
) -> tuple[NumberStyle, list[str]]:
    """Return how the numbers of a whole file are written, and what a person must confirm of it.

    Args:
        columns: name and marks of every column of numbers.
        is_free_text: the file's numbers are text (CSV); in others a point is where programs put it.
        is_comma_land: the language of the headings, or the delimiter, is of those who write a decimal comma.
    """
    columns = list(columns)
    signs = [found.spaced for _, found in columns if found.spaced]
    spaced = max(sorted(set(signs)), key=signs.count) if signs else None
    told = {
        mark: [(name, found.marks[mark]) for name, found in columns if mark in found.marks] for mark in _OTHER
    }
    decimal = {mark: any(marks.decimal for _, marks in told[mark]) for mark in _OTHER}
    groups = {mark: any(marks.thousands for _, marks in told[mark]) for mark in _OTHER}
    either = {mark: any(marks.either for _, marks in told[mark]) for mark in _OTHER}
    shown = dict(decimal)
    # A file whose groups are parted by spaces does not by a mark as well; a few such cells are slips.
    for mark in _OTHER:
        if (
            either[mark]
            and not groups[mark]
            and not decimal[_OTHER[mark]]
            and _is_spaced(columns, told[mark])
        ):
            decimal[mark] = True
    if decimal[","] or (groups["."] and not decimal["."]):
        style = NumberStyle(",", "." if groups["."] or _grouped(told["."]) else spaced)
    elif decimal["."] or groups[","] or either[","]:
        style = NumberStyle(".", "," if groups[","] or either[","] else spaced)
    elif either["."] and is_free_text and (is_comma_land or any(m.either and m.plain for _, m in told["."])):
        style = NumberStyle(",", ".")
    else:
        style = NumberStyle(".", spaced)
    notes = _notes(
        style,
        told,
        is_sure=any(shown.values()) or any(groups.values()),
        is_point_sure=not is_free_text or (shown["."] and not is_comma_land),
    )
    return style, notes + [
        f"thousands: {found.example} in {name!r} is not read, as the file's other numbers are not written so"
        for name, found in columns
        if found.spaced and found.spaced != style.thousands
    ]


def _is_spaced(columns: list[tuple[str, Written]], told: list[tuple[str, Marks]]) -> bool:
    """Say whether a file parts its groups by spaces: enough of the cells that may have groups."""
    spaced = sum(found.groups for _, found in columns if found.is_spaced)
    return spaced >= _SPACED_LEAST and spaced >= _SPACED_SHARE * sum(marks.either for _, marks in told)


def _grouped(told: list[tuple[str, Marks]]) -> bool:
    """Say whether a column writes groups as far as can be seen, and no decimals."""
    return any(marks.either and not marks.decimal for _, marks in told)


def _notes(
    style: NumberStyle, told: dict[str, list[tuple[str, Marks]]], *, is_sure: bool, is_point_sure: bool
) -> list[str]:
    notes: list[str] = []
    others: dict[str, list[str]] = {"thousands": [], "decimal": []}
    for mark, columns in told.items():
        for name, marks in columns:
            if not marks.either or marks.decimal or marks.thousands:
                continue
            as_group = marks.example.replace(mark, "")
            as_fraction = marks.example.replace(mark, ".")
            note = ""
            if mark == style.thousands and not is_sure:
                note = (
                    f"thousands: {marks.example} in {name!r} is read as {as_group}; if it is {as_fraction}, "
                    f'say decimal: "{mark}" and no thousands'
                )
            elif mark == style.decimal and (mark == "," or marks.plain or not is_point_sure):
                note = (
                    f"decimal: {marks.example} in {name!r} is read as {as_fraction}; if it is {as_group}, "
                    f'say thousands: "{mark}" and decimal: "{_OTHER[mark]}"'
                )
            if note and len(notes) >= _NOTES:
                others[note.partition(":")[0]].append(name)
            elif note:
                notes.append(note)
    return notes + [
        f"{key}: the same is asked of {line}" for key, names in others.items() for line in _lines(names)
    ]


def _lines(names: list[str]) -> list[str]:
    """Return names, as many to a line as are still read."""
    lines: list[str] = []
    for shown in map(repr, names):
        if lines and len(lines[-1]) + len(shown) < _WIDE:
            lines[-1] += f", {shown}"
        else:
            lines.append(shown)
    return lines
