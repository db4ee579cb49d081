"""Lines of fixed positions as numpy, pandas and printf write them, in characters and in bytes."""

from __future__ import annotations

import io
import subprocess
from typing import Any

import numpy as np
import pandas as pd
import pytest
from caregrid.errors import CareGridError
from caregrid.mapping import UnreadableFile

pytestmark = pytest.mark.unit
FORM = "{type: fixed, fields: {id: 1-4, day: 5-14, n: 15-18}}"


@pytest.fixture
def take(read_records: Any) -> Any:
    """Return a function that reads lines: ([(line, record)], [reject])."""
    return lambda content, form=FORM, batch_rows=50_000: read_records(content, form, batch_rows)


def test_lines_that_printf_wrote_become_rows_told_by_their_line(small: Any) -> None:
    arguments = ["A1", "2029-01-01", "7", "A2", "2029-01-02", "1234"]
    made = subprocess.run(["printf", "%-4s%s%4s\r\n", *arguments], check=True, capture_output=True).stdout
    text = b"\xef\xbb\xbfREPORT OF THE NORTH\r\n" + made
    outcome = small.map(small.usage(form=FORM.replace("fixed,", "fixed, skip_rows: 1,")), text)
    assert outcome.rows.select("line", "code", "value").rows() == [(2, "A1", 7.0), (3, "A2", 1234.0)]


ROWS = [("A1", "2029-01-01", 7), ("A2", "2029-01-02", 1234), ("A 3", "2029-01-03", 0)]


def test_what_numpy_writes_is_read(small: Any) -> None:
    made = io.BytesIO()
    table = np.array(ROWS, dtype=[("id", "U4"), ("day", "U10"), ("n", "i4")])
    np.savetxt(
        made, table, fmt=["%-4s", "%10s", "%4d"], delimiter="", header="id  day         n", comments=""
    )
    outcome = small.map(small.usage(form=FORM.replace("fixed,", "fixed, skip_rows: 1,")), made.getvalue())
    assert outcome.rows.select("line", "code", "value").rows() == [
        (2, "A1", 7.0),
        (3, "A2", 1234.0),
        (4, "A 3", 0.0),
    ]


def test_what_pandas_writes_is_read_under_its_heading(small: Any) -> None:
    text = pd.DataFrame(ROWS, columns=["id", "day", "n"]).to_string(index=False, col_space=[6, 12, 6])
    heading = text.split("\n")[0]
    # pandas sets all to the right: a column ends where its heading does.
    ends = [heading.index(name) + len(name) for name in ("id", "day", "n")]
    fields = f"id: 1-{ends[0]}, day: {ends[0] + 1}-{ends[1]}, n: {ends[1] + 1}-{ends[2]}"
    form = f"{{type: fixed, skip_rows: 1, fields: {{{fields}}}}}"
    outcome = small.map(small.usage(form=form), text.encode())
    assert outcome.rows.select("line", "code", "value").rows() == [
        (2, "A1", 7.0),
        (3, "A2", 1234.0),
        (4, "A 3", 0.0),
    ]
    assert outcome.rejects == outcome.unread == []


def test_short_lines_are_rejects_unless_the_feed_says_blanks_were_cut(take: Any) -> None:
    text = b"A1  2029-01-01   7\n\nA2  2029-01-02\nA3  2029-01-03   9 and more\nA4"
    for batch_rows in (1, 50_000):
        records, rejects = take(text, batch_rows=batch_rows)
        assert [(line, record["n"].strip()) for line, record in records] == [(1, "7"), (4, "9")]
        assert [(reject.line, reject.reasons[0]["message"]) for reject in rejects] == [
            (3, "the line ends at position 14, its last field at 18"),
            (5, "the line ends at position 2, its last field at 18"),
        ]
        assert rejects[0].record == {"(text)": "A2  2029-01-02"}
    records, rejects = take(text, FORM.replace("fixed,", "fixed, short_lines: true,"))
    assert ([(line, record["n"].strip()) for line, record in records], rejects) == (
        [(1, "7"), (3, ""), (4, "9"), (5, "")],
        [],
    )


@pytest.mark.parametrize("encoding", ["big5", "shift_jis", "gb18030", "utf-8"])
def test_positions_may_be_counted_in_bytes(encoding: str, take: Any) -> None:
    def padded(text: str, width: int) -> bytes:
        return text.encode(encoding).ljust(width)

    lines = [padded("一床", 8) + b"2029-01-01" + b"   7", padded("A", 8) + b"2029-01-02" + b"   8"]
    form = (
        f"{{type: fixed, encoding: {encoding}, positions: bytes, fields: {{id: 1-8, day: 9-18, n: 19-22}}}}"
    )
    records, rejects = take(
        b"\n".join(lines) + b"\n" + b"x" + "二三四五六七八".encode(encoding) * 2 + b"\n", form
    )
    assert [(record["id"].strip(), record["n"].strip()) for _, record in records[:2]] == [
        ("一床", "7"),
        ("A", "8"),
    ]
    assert [(reject.line, reject.reasons[0]["code"]) for reject in rejects] == [(3, "torn_character")]


def test_ten_thousand_columns_are_cut(take: Any) -> None:
    fields = ", ".join(f"c{number}: {number}" for number in range(1, 10_001))
    records, _ = take(b"7" * 9_999 + b"8\n", f"{{type: fixed, fields: {{{fields}}}}}")
    assert (len(records[0][1]), records[0][1]["c10000"], records[0][1]["c9999"]) == (10_000, "8", "7")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n \r\n", "empty"),
        (b"<!DOCTYPE html><html></html>", "html"),
        (b"A1  2029-01-01   \xff", "undecodable"),
        (b"A1  2029-01-01 \x00  ", "control_characters"),
        (b"\x1f\x8b\x08\x00", "not_this_format"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, code: str, take: Any) -> None:
    with pytest.raises(UnreadableFile) as refused:
        take(content)
    assert refused.value.code == code


def test_a_file_of_lines_before_the_records_alone_has_no_rows(small: Any) -> None:
    with pytest.raises(UnreadableFile, match="no_rows"):
        small.map(small.usage(form=FORM.replace("fixed,", "fixed, skip_rows: 1,")), "REPORT\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1-4", "4-1", "no positions in a line"),
        ("1-4", "0-4", "no positions in a line"),
        ("1-4", "'@id'", "no positions in a line"),
        ("1-4", "{xpath: a}", "no positions in a line"),
        ("fixed,", "fixed, encoding: utf-16, positions: bytes,", "counted in characters"),
        ("fixed, fields", "fixed, header", "header says nothing about fixed"),
        (", fields: {id: 1-4, day: 5-14, n: 15-18}", "", "cannot be read without fields"),
    ],
)
def test_the_check_tells_positions_that_cannot_be(old: str, new: str, words: str, small: Any) -> None:
    form = FORM.replace(old, new).replace("header: {id: 1-4, day: 5-14, n: 15-18}", "header: [id, day, n]")
    with pytest.raises(CareGridError) as refused:
        small.usage(form=form)
    assert words in str(refused.value)
