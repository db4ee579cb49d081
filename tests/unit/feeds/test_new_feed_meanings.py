"""`caregrid feeds new` on headings of several meanings: the figures tell, and a person is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from caregrid.drafts import draft
from caregrid.feeds import parse_feed

pytestmark = pytest.mark.unit

DAYS = [f"2024-03-{day:02}" for day in range(1, 21)]
TOTALS = [40 + number % 3 for number in range(len(DAYS))]
TAKEN = [20 + number for number in range(len(DAYS))]
FREE = [total - taken for total, taken in zip(TOTALS, TAKEN, strict=True)]


def drafted(tmp_path: Path, columns: dict[str, list[int]]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the measure of each column, and what is asked right above it."""
    rows = zip(DAYS, *columns.values(), strict=True)
    lines = [",".join(["Hospital,Date", *columns])]
    lines += [",".join([f"H{number % 2}", *map(str, row)]) for number, row in enumerate(rows)]
    sample = tmp_path / "sample.csv"
    sample.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = draft(sample, name="drafted")
    (output,) = parse_feed(Path("drafted.yml"), made.text).outputs
    measures = {value["column"]: value["measure"] for value in output.spec["values"]}
    text = made.text.splitlines()
    asked = {}
    for column in measures:
        at = next(
            number
            for number, line in enumerate(text)
            if line.strip().startswith("- {column:") and f"column: {column}," in line.replace('"', "")
        )
        asked[column] = text[at - 1] if "CONFIRM" in text[at - 1] else ""
    return measures, asked


def test_available_is_free_where_it_adds_up_with_the_occupied_to_the_total(tmp_path: Path) -> None:
    columns = {"ICU total beds": TOTALS, "ICU beds occupied": TAKEN, "ICU beds available": FREE}
    measures, asked = drafted(tmp_path, columns)
    assert measures == dict(zip(columns, ("capacity", "occupied", "free"), strict=True))
    assert "taken for free: with 'ICU beds occupied' it adds up to 'ICU total beds'" in asked.pop(
        "ICU beds available"
    )
    assert set(asked.values()) == {""}


def test_available_is_open_where_it_is_never_less_than_the_occupied(tmp_path: Path) -> None:
    measures, asked = drafted(tmp_path, {"ICU beds occupied": TAKEN, "ICU beds available": TOTALS})
    assert measures["ICU beds available"] == "capacity"
    assert "taken for capacity: it is never less than 'ICU beds occupied'" in asked["ICU beds available"]


def test_available_is_free_where_it_is_less_than_the_occupied(tmp_path: Path) -> None:
    measures, asked = drafted(tmp_path, {"Camas ocupadas": TAKEN, "Camas disponibles": FREE})
    assert measures["Camas disponibles"] == "free"
    assert f"in {sum(map(int.__lt__, FREE, TAKEN))} of {len(DAYS)} records" in asked["Camas disponibles"]


def test_available_beside_a_larger_total_is_what_is_staffed(tmp_path: Path) -> None:
    licensed = [total + 10 for total in TOTALS]
    columns = {"Licensed beds": licensed, "Available beds": TOTALS, "Occupied beds": TAKEN}
    measures, asked = drafted(tmp_path, columns)
    assert measures == dict(zip(columns, ("capacity", "staffed_capacity", "occupied"), strict=True))
    assert "so it is not free" in asked["Available beds"]


@pytest.mark.parametrize("order", [1, -1])
def test_each_column_of_all_beds_is_tried_whatever_their_order(order: int, tmp_path: Path) -> None:
    staffed = [total - 15 for total in TOTALS]
    wholes = dict([("Total beds", TOTALS), ("Staffed beds", staffed)][::order])
    taken = [12 + number % 5 for number in range(len(DAYS))]
    free = [total - used for total, used in zip(TOTALS, taken, strict=True)]
    measures, asked = drafted(tmp_path, {**wholes, "Available beds": free, "Occupied beds": taken})
    assert measures["Available beds"] == "free"
    assert "it adds up to 'Total beds'" in asked["Available beds"]


def test_what_may_be_free_beside_one_of_two_columns_is_not_said_to_be_none(tmp_path: Path) -> None:
    staffed = [total - 15 for total in TOTALS]
    taken = [12 + number % 5 for number in range(len(DAYS))]
    free = [total - used - 2 for total, used in zip(TOTALS, taken, strict=True)]
    columns = {"Total beds": TOTALS, "Staffed beds": staffed, "Available beds": free, "Occupied beds": taken}
    measures, asked = drafted(tmp_path, columns)
    assert measures["Available beds"] == "free"
    assert "as no figure of the sample tells" in asked["Available beds"]


def test_of_two_columns_of_the_taken_the_one_that_adds_up_tells(tmp_path: Path) -> None:
    some = [taken // 2 for taken in TAKEN]
    columns = {
        "Total beds": TOTALS,
        "Occupied beds": TAKEN,
        "Occupied by covid": some,
        "Available beds": FREE,
    }
    measures, asked = drafted(tmp_path, columns)
    assert measures["Available beds"] == "free"
    assert "with 'Occupied beds' it adds up to 'Total beds'" in asked["Available beds"]


def test_nothing_beside_it_leaves_the_guess_to_a_person(tmp_path: Path) -> None:
    measures, asked = drafted(tmp_path, {"ICU beds available": FREE})
    assert measures == {"ICU beds available": "free"}
    assert (
        "free, or all that are open, taken or not; taken for free, as no figure"
        in asked["ICU beds available"]
    )


def test_an_occupancy_far_above_all_beds_is_no_per_cent(tmp_path: Path) -> None:
    measures, asked = drafted(tmp_path, {"Bed occupancy": [taken * 10 for taken in TAKEN]})
    assert measures == {"Bed occupancy": "occupied"}
    assert f"it goes up to {max(TAKEN) * 10}" in asked["Bed occupancy"]
    assert drafted(tmp_path, {"Bed occupancy": TAKEN})[0] == {"Bed occupancy": "occupancy"}


@pytest.mark.parametrize(
    "heading",
    [
        "Beds",
        "Hospitalised",
        "Open beds",
        "Admitted",
        "Waiting",
        "Length of stay",
        "Staffed beds",
        "Auslastung",
        "等候人數",
    ],
)
def test_other_words_of_several_meanings_are_asked_about(heading: str, tmp_path: Path) -> None:
    assert "may be" in drafted(tmp_path, {heading: TAKEN})[1][heading]


@pytest.mark.parametrize(
    "heading", ["Total beds", "總床數", "Occupied beds", "Unoccupied beds", "Discharges", "Betten belegt"]
)
def test_words_of_one_meaning_are_not(heading: str, tmp_path: Path) -> None:
    assert drafted(tmp_path, {heading: TAKEN})[1] == {heading: ""}


def test_an_occupancy_in_per_cent_is_no_question(tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    lines = [f"H1,{day},{taken} %" for day, taken in zip(DAYS, TAKEN, strict=True)]
    sample.write_text("\n".join(["Hospital,Date,Bed occupancy", *lines]) + "\n")
    assert "may be a per cent" not in draft(sample).text
