"""JSON that passes by is what the standard library reads whole: elements, refusals; and memory is bounded."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caregrid.feeds.spec import build_source
from caregrid.mapping import UnreadableFile, read
from caregrid.mapping.readers import json_stream
from caregrid.mapping.readers.structured import loads
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

KEYS = st.sampled_from(["data", "beds", "0", "note", "é", "a\nb"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
DAMAGES = st.sampled_from(["", ",", '"', "}", "]", "{", "1", "\\", "\\ud800", "\x01", " x"])
PATHS = st.lists(st.sampled_from(["data", "beds", "0", "1"]), max_size=3)
PEAK = """
import resource, sys
from pathlib import Path
from caregrid.feeds.spec import build_source
from caregrid.mapping import read
form = {"type": "json", "records": "data.beds"}
source = build_source("f", "s", {"format": form, "member": None, "published_at": {}})
rows = sum(batch.frame.height for batch in read(source, Path(sys.argv[1])))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def blocks(text: str, size: int) -> Iterator[str]:
    """Give a text in blocks, as a decoder does."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


def streamed(text: str, path: list[str], size: int) -> Any:
    """Return (elements, values around them), or why there are none."""
    around: dict[str, Any] = {}
    try:
        return list(json_stream.elements(json_stream.Text(blocks(text, size)), path, around)), around
    except json_stream.MalformedError:
        return "malformed"
    except UnreadableFile as problem:
        return problem.code


def whole(text: str, path: list[str]) -> Any:
    """Return the same by way of a document that is parsed at once."""
    try:
        document = loads(text)
    except ValueError:
        return "malformed"
    found = document
    for part in path:
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return "no_records"
    if not isinstance(found, list):
        return "no_records"
    around = document.items() if isinstance(document, dict) else ()
    return found, {key: value for key, value in around if not isinstance(value, (dict, list))}


@given(
    document=DOCUMENTS, path=PATHS, size=st.integers(1, 40),
    indent=st.sampled_from([None, 1]), ascii_only=st.booleans(),
)  # fmt: skip
def test_whole_documents(document: Any, path: list[str], size: int, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert streamed(text, path, size) == whole(text, path)


@given(
    document=DOCUMENTS, path=PATHS, size=st.integers(1, 40),
    at=st.floats(0, 1), put=DAMAGES, cut=st.booleans(),
)  # fmt: skip
def test_damaged_documents(document: Any, path: list[str], size: int, at: float, put: str, cut: bool) -> None:
    text = json.dumps({"data": document, "note": 1})
    place = int(at * len(text))
    damaged = text[:place] + put + ("" if cut else text[place:])
    expected = whole(damaged, path)
    assert streamed(damaged, path, size) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"data": [1,\n 2 3]}', "line 2 column 4 (char 16)"),
        ('{"data": [],\n\n"data": []}', "key 'data' stands twice"),
        ('{"data": [{"a": 1, "a": 2}]}', "key 'a' stands twice"),
        ('[{"a": "\\ud800"}]', "half of a character"),
        ('{"data": [1, 2]} x', "Extra data: line 1 column 18 (char 17)"),
    ],
)
@pytest.mark.parametrize("size", [3, 1000])
def test_the_place_of_a_mistake_is_told(text: str, place: str, size: int) -> None:
    path = ["data"] if text.startswith("{") else []
    with pytest.raises(json_stream.MalformedError) as told:
        list(json_stream.elements(json_stream.Text(blocks(text, size)), path, {}))
    assert place in str(told.value)


def test_a_value_longer_than_memory_is_meant_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MOST_CHARACTERS", 1 << 20)
    text = '{"other": ["' + '", "'.join(["x" * 1000] * 3000) + '"], "data": [{"a": 1}]}'
    found = list(json_stream.elements(json_stream.Text(blocks(text, 4096)), ["data"], {}))
    assert found == [{"a": "1"}], "what stands beside the way is passed element by element"
    with pytest.raises(UnreadableFile, match="one value is longer than 1 million characters"):
        list(json_stream.elements(json_stream.Text(blocks(f"[{text}]", 4096)), [], {}))


def write(path: Path, mebibytes: int) -> int:
    """Write records of a kilobyte; return how many."""
    count = mebibytes * 1024
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"data": {"beds": [')
        for number in range(count):
            record = {"site": {"code": f"S{number}"}, "occupied": number, "remark": "é" * 480}
            stream.write(("," if number else "") + json.dumps(record, ensure_ascii=False))
        stream.write('], "more": 1}, "published": "2025-03-01"}')
    return count


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = {}
    for mebibytes in (64, 192):
        file = tmp_path / f"{mebibytes}.json"
        count = write(file, mebibytes)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(file)], capture_output=True, text=True, check=True
        )
        rows, peak = map(int, done.stdout.split())
        assert rows == count
        peaks[mebibytes] = peak >> 20
    assert peaks[192] - peaks[64] < (192 - 64) / 2, peaks


def test_values_behind_the_array_and_keys_of_the_last_record_are_in_every_batch(tmp_path: Path) -> None:
    document = {"beds": [{"a": "1"}] * 3 + [{"b": [{"c": 2.50}]}], "published": "2025-03-01", "n": 1}
    path = tmp_path / "beds.json.gz"
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    form = {"type": "json", "records": "beds"}
    source = build_source("f", "s", {"format": form, "member": None, "published_at": {}})
    batches = list(read(source, path, batch_rows=2))
    assert [batch.frame.columns for batch in batches] == [["$.published", "$.n", "a", "b.0.c"]] * 2
    assert batches[1].frame.rows() == [
        ("2025-03-01", "1", "1", None), ("2025-03-01", "1", None, "2.5"),
    ]  # fmt: skip
    assert batches[1].lines.to_list() == [3, 4]
