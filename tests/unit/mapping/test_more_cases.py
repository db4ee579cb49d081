"""Difficulties that data people reported in public, beyond the published cases: exact results for each."""

# ruff: noqa: E501 - a case is one line where it can be

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from caregrid.mapping import UnreadableFile

pytestmark = pytest.mark.unit
H = "id,day,n\n"
D = "2029-01-01"


@dataclass(frozen=True)
class Case:
    """One text. rows: line, code, value (None: missing); rejects: line, code of the reason; starts: in UTC."""

    text: str
    rows: list[tuple[int, str, float | None]]
    rejects: list[tuple[int, str]] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    feed: dict[str, str] = field(default_factory=dict)


def period(form: str, grain: str = "day", more: str = "") -> dict[str, str]:
    return {"period": f"{{column: day, format: {form}, grain: {grain}{more}}}"}


CASES: dict[str, Case] = {
    # CSSEGISandData/COVID-19 #1276, kaz-ogiwara/covid19 #55: a thousands comma, without and with quotes.
    "thousands unquoted": Case(H + f"A1,{D},1,125\nA2,{D},5\n", [(3, "A2", 5)], [(2, "ragged")]),
    "thousands quoted": Case(
        H + f'A1,{D},"1,125"\nA2,{D},"1,23"\n', [(2, "A1", 1125)], [(3, "not_a_number")], feed={"form": '{type: csv, thousands: ","}'}
    ),
    # French and Swiss exports: spaces that do not break.
    "thousands by spaces": Case(
        H + f"A1,{D},1\u00a0234\nA2,{D},1\u202f234\nA3,{D},12 34\n", [(2, "A1", 1234), (3, "A2", 1234)], [(4, "not_a_number")], feed={"form": '{type: csv, thousands: " "}'}
    ),
    # CSSEGISandData/COVID-19 #2330: codes are no numbers.
    "codes that look like numbers": Case(H + f'01001,{D},1\n1E+05,{D},2\n"=""01002""",{D},3\n', [(2, "01001", 1), (3, "1E+05", 2), (4, "01002", 3)]),
    "footnotes, ranges, accountants": Case(H + f"A1,{D},12*\nA2,{D},1-4\nA3,{D},(3)\nA4,{D},~7\n", [], [(line, "not_a_number") for line in (2, 3, 4, 5)]),
    "no number of any kind": Case(H + f"A1,{D},NaN\nA2,{D},Infinity\nA3,{D},1e400\nA4,{D},0x10\nA5,{D},1_000\n", [], [(line, "not_a_number") for line in (2, 3, 4, 5, 6)]),
    "floats for counts": Case(H + f"A1,{D},12.0\nA2,{D},1.2E+03\nA3,{D},+7\n", [(2, "A1", 12), (3, "A2", 1200), (4, "A3", 7)]),
    # pcm-dpc/COVID-19 #111 and others: a negative figure, here under the minus sign of typographers.
    "typographic minus": Case(H + f"A1,{D},\u22125\n", [], [(2, "negative")]),
    "digits of other scripts": Case(H + f"A1,{D},１２\nA2,{D},١٢\nＡ３,{D},3\n", [(2, "A1", 12), (3, "A2", 12), (4, "A3", 3)]),
    "percent on either side": Case(
        H + f"A1,{D},98 %\nA2,{D},98\u00a0%\nA3,{D},%101\n", [(2, "A1", 98), (3, "A2", 98), (4, "A3", 101)],
        feed={"values": "[{column: n, measure: occupancy, statistic: average, number: {percent: true}}]"},
    ),
    # Marks without a width, copied from web pages, at the edges of a code, a heading, a date, a number.
    "marks without a width": Case(f"\u200bid,day\u200b,\ufeffn\nA1\u200b,{D},1\nA2,{D}\u200e,\u20602\u200b\n", [(2, "A1", 1), (3, "A2", 2)]),
    "composed and decomposed letters": Case(H + f"K\u00f6ln,{D},1\nKo\u0308ln,{D},2\n", [(2, "K\u00f6ln", 1), (3, "K\u00f6ln", 2)]),
    "a heading in the middle": Case(H + f"A1,{D},1\n{H}A2,{D},2\n", [(2, "A1", 1), (4, "A2", 2)], [(3, "unparseable_time")]),
    "a signature at the foot": Case(H + f"A1,{D},1\n\nSource: ministry\n", [(2, "A1", 1)], [(4, "ragged")]),
    "line feeds of an old Macintosh": Case(f"id,day,n\rA1,{D},1\rA2,{D},2\r", [(2, "A1", 1), (3, "A2", 2)]),
    "both kinds of line ends": Case(f"id,day,n\r\nA1,{D},1\nA2,{D},2\r\n", [(2, "A1", 1), (3, "A2", 2)]),
    "a comma after every line": Case(f"id,day,n,\nA1,{D},1,\n", [(2, "A1", 1)]),
    "backslashes before quotes": Case(H + f'"St \\"Ann\\"",{D},1\nA2,{D},2\n', [(3, "A2", 2)], [(2, "malformed_quotes")]),
    "an inch is no quote": Case(H + f'12" bed,{D},1\nA2,{D},2\n', [(2, '12" bed', 1), (3, "A2", 2)]),
    "the separator's own line": Case(f"sep=;\nid;day;n\nA1;{D};1\n", [(3, "A1", 1)], feed={"form": '{type: csv, delimiter: ";", skip_rows: 1}'}),
    "names that mean nothing elsewhere": Case(H + f"NULL,{D},1\nNA,{D},2\nnan,{D},3\n,{D},4\n", [(2, "NULL", 1), (3, "NA", 2), (4, "nan", 3)], [(5, "no_key")]),
    # Times
    "the end of the day": Case(
        "id,day,n\nA1,2029-01-01 24:00,1\nA2,2029-01-01 25:00,2\n", [(2, "A1", 1)], [(3, "unparseable_time")], ["2029-01-01 23:00"], feed=period('"%Y-%m-%d %H:%M"', "hour")
    ),
    "days of a spreadsheet": Case("id,day,n\nA1,45292,1\nA2,60,3\n", [(2, "A1", 1)], [(3, "unparseable_time")], ["2023-12-31 23:00"], feed=period("excel_days")),
    "years of the Republic": Case(
        "id,day,n\nA1,113/02/29,1\nA2,112/02/29,2\n", [(2, "A1", 1)], [(3, "unparseable_time")], ["2024-02-28 16:00"], feed={**period("roc_date"), "timezone": "Asia/Taipei"}
    ),
    "days that are not": Case(H + "A1,0000-00-00,1\nA2,9999-12-31,2\nA3,1900-01-00,3\nA4,2023-02-29,4\n", [], [(line, "unparseable_time") for line in (2, 3, 4, 5)]),
    "months in words": Case(
        H + "A1,1. März 2024,1\nA2,1 mars 2024,2\nA3,1 janv. 2024,3\nA4,1 marzo 2024,4\nA5,1 dic 2024,5\nA6,1 jui 2024,6\nA7,1 Jänner 2024,7\nA8,1 Sept. 2024,8\n",
        [(2, "A1", 1), (3, "A2", 2), (4, "A3", 3), (5, "A4", 4), (6, "A5", 5), (8, "A7", 7), (9, "A8", 8)], [(7, "unparseable_time")],
        ["2024-02-29 23:00", "2024-02-29 23:00", "2023-12-31 23:00", "2024-02-29 23:00", "2024-11-30 23:00", "2023-12-31 23:00", "2024-08-31 22:00"],
        feed=period('["%d. %B %Y", "%d %B %Y", "%d %b %Y"]'),
    ),
    "offsets in the repeated hour": Case(
        "id,day,n\nA1,2024-10-27T02:30:00+02:00,1\nA2,2024-10-27T02:30:00+01:00,2\n", [(2, "A1", 1), (3, "A2", 2)], [], ["2024-10-27 00:30", "2024-10-27 01:30"],
        feed=period('"%Y-%m-%dT%H:%M:%S%z"', "instant", ", role: instant"),
    ),
    "half an hour of summer": Case(
        "id,day,n\nA1,2024-04-07 01:15,1\nA2,2024-10-06 02:15,2\n", [(2, "A1", 1)], [(3, "nonexistent_time")], ["2024-04-06 14:15"],
        feed={**period('"%Y-%m-%d %H:%M"', "instant", ", role: instant"), "timezone": "Australia/Lord_Howe"},
    ),
    "a day that a country left out": Case(
        H + "A1,2011-12-29,1\nA2,2011-12-30,2\nA3,2011-12-31,3\n", [(2, "A1", 1), (4, "A3", 3)], [(3, "nonexistent_time")], ["2011-12-29 10:00", "2011-12-30 10:00"],
        feed={"timezone": "Pacific/Apia"},
    ),
    "years that begin in April": Case(
        "id,day,n\nA1,2023/24,1\nA2,2023/25,2\n", [(2, "A1", 1)], [(3, "unparseable_time")], ["2023-03-31 22:00"], feed=period("YYYY", "year", ", fiscal_start: 4")
    ),
    # JSON
    "numbers that JSON does not know": Case(
        '[{"id":"A1","day":"2029-01-01","n":NaN},{"id":3,"day":"2029-01-01","n":"7"},{"id":"A3","day":"2029-01-01","n":null},{"id":"A4","day":"2029-01-01","n":true}]',
        [(2, "3", 7), (3, "A3", None)], [(1, "not_a_number"), (4, "not_a_number")], feed={"form": "{type: json}"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_its_exact_result(name: str, small: Any) -> None:
    case = CASES[name]
    outcome = small.map(small.usage(**case.feed), case.text)
    found = outcome.rows.sort("line")
    assert found.select("line", "code", "value").rows() == case.rows
    rejects = [*outcome.rejects, *outcome.unread]
    assert sorted((reject.line, reject.reasons[0]["code"]) for reject in rejects) == case.rejects
    if case.starts:
        assert found["period_start"].dt.strftime("%Y-%m-%d %H:%M").to_list() == case.starts
    received = sum(len(batch.received_lines) for batch in outcome.batches)
    assert received == len(case.rows) + len(case.rejects)


def test_a_semicolon_file_read_with_commas_says_what_to_correct(small: Any) -> None:
    with pytest.raises(UnreadableFile, match="correct format: delimiter"):
        small.map(small.usage(), f"id;day;n\nA1;{D};1\n")
