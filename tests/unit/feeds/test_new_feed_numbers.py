"""`caregrid feeds new` on commas and points: which mark parts thousands, and what a person is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.drafts import draft
from caregrid.feeds import parse_feed

pytestmark = pytest.mark.unit

DAYS = [f"2024-03-{day:02}" for day in range(1, 21)]

CASES = {
    # name: heading, cells of the first and second figure, marks drafted, words asked
    "groups alone": (
        "Hospital,Date,Total Beds,Occupied Beds",
        ('"1,200"', '"1,050"', '"1,100"'),
        ('"1,050"', "950", '"1,000"'),
        (".", ","),
        ["1,200 in 'Total Beds' is read as 1200; if it is 1.200", "'Occupied Beds'"],
    ),
    "chinese groups": (
        "醫院,日期,總床數,佔床數",
        ('"1,200"', '"1,050"'),
        ('"1,050"', "950"),
        (".", ","),
        ["1,200 in '總床數' is read as 1200"],
    ),
    "groups and a decimal point": (
        "Hospital,Date,Total Beds,Occupancy percent",
        ('"1,200"', "950"),
        ("75.5", "80.0"),
        (".", ","),
        [],
    ),
    "two groups say it themselves": (
        "Hospital,Date,Total Beds,Occupied Beds",
        ('"1,200,300"', '"1,200"'),
        ("950", "951"),
        (".", ","),
        [],
    ),
    "decimal commas": (
        "Hospital;Date;Total Beds;Occupied Beds",
        ("12,5", "13,25"),
        ("0,125", "0,250"),
        (",", None),
        [],
    ),
    "german groups beside decimals": (
        "Krankenhaus;Datum;Betten;Auslastung",
        ("1.200", "950", "1.050"),
        ("75,0 %", "80,5 %"),
        (",", "."),
        [],
    ),
    "german groups alone": (
        "Krankenhaus;Datum;Betten;Betten belegt",
        ("1.200", "1.050"),
        ("950", "980"),
        (",", "."),
        ["1.200 in 'Betten' is read as 1200; if it is 1.200"],
    ),
    "french groups": (
        "Etablissement;Jour;Lits;Lits occupes",
        ("1 200", "950"),
        ("75,5", "80,0"),
        (",", " "),
        [],
    ),
    "points that are decimals": (
        "Hospital,Date,Total Beds,Occupied Beds",
        ("1.5", "1.250"),
        ("0.125", "0.250"),
        (".", None),
        [],
    ),
    "a column of three decimals in a file of decimal commas": (
        "Hospital;Date;Total Beds;Length of stay",
        ("12,5", "13,5"),
        ("4,125", "3,250"),
        (",", None),
        ["4,125 in 'Length of stay' is read as 4.125; if it is 4125"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_thousands_and_decimals_are_told_by_what_follows_the_mark(case: str, tmp_path: Path) -> None:
    heading, first, second, marks, asked = CASES[case]
    cut = ";" if ";" in heading else ","
    rows = [
        cut.join((f"H{n % 2}", day, first[n % len(first)], second[n % len(second)]))
        for n, day in enumerate(DAYS)
    ]
    sample = tmp_path / "sample.csv"
    sample.write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
    made = draft(sample, name="drafted")
    (source,) = parse_feed(Path("drafted.yml"), made.text).sources.values()
    assert (source.format.decimal, source.format.thousands) == marks
    assert made.rejected["figures"] == 0
    assert made.mapped["figures"] == 2 * len(DAYS)
    lines = made.text.splitlines()
    questions = [line for line in lines if "# CONFIRM" in line and " is read as " in line]
    assert bool(questions) == bool(asked)
    for words in asked:
        assert any(words in line for line in questions)
    if asked:  # what is asked stands on the line it is about
        assert lines[lines.index(questions[-1]) + 1].strip().startswith("format:")


SPACED: dict[str, tuple[list[str], list[str], tuple[str, str | None], list[str]]] = {
    # name: cells of the first and second figure, marks drafted, words asked
    "one slip in another column": (
        [f'"1,{200 + n}"' for n in range(20)],
        ["1 003" if n == 5 else str(900 + n) for n in range(20)],
        (".", ","),
        ["1,200 in 'Total Beds' is read as 1200; if it is 1.200", "1 003 in 'Occupied Beds' is not read"],
    ),
    "one slip in the column itself": (
        ["1 203" if n == 3 else f'"1,{200 + n}"' for n in range(20)],
        [str(900 + n) for n in range(20)],
        (".", ","),
        ["1,200 in 'Total Beds' is read as 1200", "1 203 in 'Total Beds' is not read"],
    ),
    "half a column and half another way": (
        [f"1 {200 + n}" if n % 2 else f'"1,{200 + n}"' for n in range(20)],
        [str(900 + n) for n in range(20)],
        (".", ","),
        ["1,200 in 'Total Beds' is read as 1200", "1 201 in 'Total Beds' is not read"],
    ),
    "a column of spaces beside one of commas": (
        [f"1 {200 + n}" for n in range(20)],
        [f'"4,{100 + n}"' for n in range(20)],
        (",", " "),
        ["4,100 in 'Occupied Beds' is read as 4.100; if it is 4100"],
    ),
    "a column of spaces beside one of points": (
        [f"1 {200 + n}" for n in range(20)],
        [f"4.{100 + n}" for n in range(20)],
        (".", " "),
        ["4.100 in 'Occupied Beds' is read as 4.100; if it is 4100"],
    ),
    "one slip beside points": (
        [f"1.{200 + n}" for n in range(20)],
        ["1 003" if n == 5 else str(900 + n) for n in range(20)],
        (".", " "),
        ["1.200 in 'Total Beds' is read as 1.200; if it is 1200"],
    ),
    "three digits behind every point": (
        [f"1.{200 + n}" for n in range(20)],
        [str(900 + n) for n in range(20)],
        (".", None),
        ["1.200 in 'Total Beds' is read as 1.200; if it is 1200"],
    ),
}


@pytest.mark.parametrize("name", SPACED)
def test_spaces_tell_of_other_marks_only_where_they_are_many_and_it_is_asked(
    name: str, tmp_path: Path
) -> None:
    first, second, marks, asked = SPACED[name]
    sample = tmp_path / "sample.csv"
    rows = [f"H{n % 2},{day},{first[n]},{second[n]}" for n, day in enumerate(DAYS)]
    sample.write_text("\n".join(["Hospital,Date,Total Beds,Occupied Beds", *rows]) + "\n")
    made = draft(sample, name="drafted")
    (source,) = parse_feed(Path("drafted.yml"), made.text).sources.values()
    assert (source.format.decimal, source.format.thousands) == marks
    questions = [line for line in made.text.splitlines() if "CONFIRM" in line and " read" in line]
    for words in asked:
        assert any(words in line for line in questions)


@pytest.mark.parametrize("many", [4, 15])
def test_every_column_whose_marks_no_cell_tells_is_asked_about(many: int, tmp_path: Path) -> None:
    columns = [f"Occupied beds of the clinic for long stays house {number}" for number in range(many)]
    sample = tmp_path / "sample.csv"
    rows = [
        ",".join([f"H{n % 2}", day, *(f'"{number + 1},{100 + n}"' for number in range(many))])
        for n, day in enumerate(DAYS)
    ]
    sample.write_text("\n".join([",".join(["Hospital,Date", *columns]), *rows]) + "\n")
    text = draft(sample, name="drafted").text
    asked = [line for line in text.splitlines() if "# CONFIRM thousands:" in line]
    for column in columns:
        assert any(repr(column) in line for line in asked)
    assert sum("is read as" in line for line in asked) == 3
