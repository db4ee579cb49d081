"""Lines of JSON that are taken apart together read as each would read alone."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import polars as pl
import pytest
from caregrid.feeds.model import Format
from caregrid.mapping.readers import json_lines
from caregrid.mapping.readers.json_lines import read_ndjson
from caregrid.mapping.readers.structured import flatten, loads
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

# Everything a value can be written as; what looks like another thing among it.
values = st.sampled_from(
    [
        *("1", "-0", "0.10", "1e5", "-1.5E-3", "12345678901234567890123", "NaN", "Infinity", "true", "false"),
        *(
            "null",
            '""',
            '"null"',
            '"true"',
            '" a "',
            '"7"',
            '"ü 床"',
            r'"\u00fc"',
            r'"\""',
            r'"\\"',
            r'"\ud800"',
        ),
        *(
            '"[]"',
            '"{,:}"',
            "[]",
            "{}",
            "[1, 2]",
            '{"c": 3}',
            '{"a": 1, "a": 2}',
            "01",
            "+1",
            "1.",
            '"\t"',
            "nul",
        ),
    ]
)
keys = st.sampled_from(["a", "b", "a.b", "n", 'q"', "床", "(position)", "", "0"])
spaces = st.sampled_from(["", " ", "\t"])


@st.composite
def objects(draw: st.DrawFn) -> list[str]:
    """Lines of one form, but for what the values are."""
    names = draw(st.lists(keys, max_size=4))
    space, end = draw(spaces), draw(st.sampled_from(["", " ", "\r"]))
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        fields = f",{space}".join(f"{json.dumps(name)}:{space}{draw(values)}" for name in names)
        nested = f"{{{space}{fields}}}"
        lines.append((f'{{"n": {nested}, "m": 1}}' if draw(st.booleans()) else nested) + end)
    return lines


noise = st.sampled_from(["", "   ", "\r", "[1]", "7", "{", "oops", '{"a": 1} {"a": 2}'])
files = st.lists(st.one_of(objects(), st.lists(noise, max_size=2)), max_size=8)


def alone(lines: list[str]) -> tuple[list[tuple[int, dict[str, Any]]], list[tuple[int, str]]]:
    """What each line says when it is read alone: records and refusals by line."""
    records, refused = [], []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            document = loads(text)
            if not isinstance(document, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            refused.append((number, str(error)))
        else:
            records.append((number, flatten(document)))
    return records, refused


def filled(records: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    """A key that a record has and whose value is null is as one that it has not."""
    return [
        (line, {key: value for key, value in record.items() if value is not None}) for line, record in records
    ]


@given(parts=files, batch_rows=st.integers(1, 30))
def test_lines_read_together_as_alone(parts: list[list[str]], batch_rows: int) -> None:
    lines = ['{"first": 1}', *(line for part in parts for line in part)]
    batches = list(read_ndjson(BytesIO("\n".join(lines).encode()), Format("ndjson"), batch_rows))
    expected, refused = alone(lines)
    found: list[tuple[int, dict[str, Any]]] = []
    for batch in batches:
        rows = batch.frame.to_dicts() if batch.frame.width else []
        assert len(rows) == len(batch.lines)
        own = [(line, record) for line, record in expected if line in set(batch.lines)]
        # columns stand in the order in which they first appear
        seen = list(dict.fromkeys(key for _, record in own for key in record))
        assert not own or batch.frame.columns == (seen or ["(nothing)"])
        assert set(batch.frame.dtypes) <= {pl.String}
        found += zip(batch.lines.to_list(), rows, strict=True)
    assert filled(found) == filled(expected)
    assert [
        (reject.line, reject.reasons[0]["message"].removeprefix("the line is no JSON object: "))
        for batch in batches
        for reject in batch.rejects
    ] == refused


def test_lines_of_few_forms_are_not_parsed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two forms in turn, more values than the engine captures at once: only their patterns are read alone."""
    wide = {f"k{number}": {"value": number, "flag": None} for number in range(20)}
    lines = [json.dumps(wide | ({"late": "x"} if number % 2 else {})) for number in range(400)]
    parsed: list[str] = []

    def counted(text: str) -> Any:
        parsed.append(text)
        return loads(text)

    monkeypatch.setattr(json_lines, "loads", counted)
    (one, two) = read_ndjson(BytesIO("\n".join(lines).encode()), Format("ndjson"), 200)
    assert len(parsed) == 2
    assert one.frame.columns == two.frame.columns == [*flatten(wide), "late"]
    assert one.frame["late"].to_list() == [None, "x"] * 100
    assert one.frame["k19.value"].to_list() == ["19"] * 200
    assert two.frame["k7.flag"].null_count() == 200
