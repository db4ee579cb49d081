"""Reading files: encodings, physical lines, ragged records, archives, and what is no data."""

# ruff: noqa: DTZ001, E501 - local times are what is tested; texts of files keep their lines

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from caregrid.feeds.model import Format, Source
from caregrid.mapping import UnreadableFile, members, read
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit
CSV = Format("csv")


def source(form: Format = CSV, member: str | None = None) -> Source:
    return Source("feed", "source", None, None, member, form, ("",), (), (), {}, {}, False)


def rows(
    path: Path, form: Format = CSV, batch_rows: int = 50_000, **options: Any
) -> tuple[list[Any], list[Any]]:
    """Return (line, *cells) of the records, and (line, code) of the rejects."""
    good: list[Any] = []
    bad: list[Any] = []
    for batch in read(source(form, options.pop("pattern", None)), path, batch_rows=batch_rows, **options):
        good += [
            (line, *cells) for line, cells in zip(batch.lines.to_list(), batch.frame.rows(), strict=True)
        ]
        bad += [(reject.line, reject.reasons[0]["code"]) for reject in batch.rejects]
    return good, bad


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(content: str | bytes, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def refused(path: Path, form: Format = CSV) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as error:
        rows(path, form)
    return error.value


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("utf-8", "näme\nÉ\n".encode()),
        ("utf-8", "näme\nÉ\n".encode("utf-8-sig")),
        ("utf-8-sig", "näme\nÉ\n".encode()),
        ("utf-16", "näme\nÉ\n".encode("utf-16")),
        ("utf-16", b"\xfe\xff" + "näme\nÉ\n".encode("utf-16-be")),
        ("utf-16-le", "\ufeffnäme\nÉ\n".encode("utf-16-le")),
        ("cp1252", "näme\nÉ\n".encode("cp1252")),
        ("cp1252", b"\xef\xbb\xbf" + "näme\nÉ\n".encode("cp1252")),
        ("latin-1", "näme\nÉ\n".encode("latin-1")),
        ("utf-8", gzip.compress("näme\nÉ\n".encode(), mtime=0)),
    ],
)
def test_encodings_and_byte_order_marks(put: Any, encoding: str, content: bytes) -> None:
    path = put(content)
    form = replace(CSV, encoding=encoding)
    assert rows(path, form) == ([(2, "É")], [])
    (batch,) = read(source(form), path)
    assert batch.frame.columns == ["näme"]


def test_one_byte_of_another_encoding_is_an_error_with_its_line(put: Any) -> None:
    mixed = b"\xef\xbb\xbfname\nUCI Health\nUci Health \x96 Los Alamitos\n"
    error = refused(put(mixed))
    assert error.code == "undecodable"
    assert "line 3" in error.reason
    assert "cp1252" in error.reason
    assert rows(put(mixed), replace(CSV, encoding="cp1252"))[0][1] == (3, "Uci Health – Los Alamitos")


def test_the_advice_follows_the_bytes(put: Any) -> None:
    chinese = "名称\n北京市人民医院\n"
    error = refused(put(chinese.encode("gb18030")))
    assert (error.code, "gb18030" in error.reason) == ("undecodable", True)
    for encoding in ("gb18030", "big5", "utf-8"):
        text = chinese if encoding != "big5" else "名稱\n臺北市立聯合醫院\n"
        assert rows(put(text.encode(encoding)), replace(CSV, encoding=encoding)) == (
            [(2, text.split("\n")[1])],
            [],
        )


def test_c1_controls_and_nuls_are_errors_with_their_line(put: Any) -> None:
    error = refused(put(b"name\nb\nUci \x96\n"), replace(CSV, encoding="latin-1"))
    assert (error.code, "line 3" in error.reason, "cp1252" in error.reason) == (
        "control_characters",
        True,
        True,
    )
    error = refused(put("name\nb\n".encode("utf-16-le")))
    assert (error.code, "utf-16" in error.reason) == ("control_characters", True)
    assert refused(put("name\n".encode("utf-16"))).code == "undecodable"
    assert refused(put(b"name\n\n\xe4\n")).reason.startswith("line 3")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n \n\r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<!DOCTYPE html>\n<html></html>", "html"),
        (b"  <html><body>", "html"),
        (b"a,b,a\n1,2,3\n", "duplicate_header"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-12], "not_this_format"),
        (b"PK\x03\x04nothing", "not_this_format"),
    ],
)
def test_what_is_no_data(put: Any, content: bytes, code: str) -> None:
    assert refused(put(content)).code == code


@pytest.mark.parametrize(
    ("content", "form", "code"),
    [
        ("null", replace(CSV, type="json", records="data"), "no_records"),
        ('{"data": null}', replace(CSV, type="json", records="data"), "no_records"),
        ("busy, try again", replace(CSV, type="json"), "error_text"),
        ('{"data": [', replace(CSV, type="json"), "not_this_format"),
        ("<html>", replace(CSV, type="json"), "html"),
        ("busy, try again", replace(CSV, type="ndjson"), "not_this_format"),
        ("a,b\n1,2\n", replace(CSV, type="parquet"), "not_this_format"),
    ],
)
def test_what_is_no_json_or_parquet(put: Any, content: str, form: Format, code: str) -> None:
    assert refused(put(content), form).code == code


def test_headers_are_stripped(put: Any) -> None:
    (batch,) = read(source(), put('a \t\t, b\u00a0,"c\nd",\n1,2,3,4\n'))
    assert batch.frame.columns == ["a", "b", "c d", "(column 4)"]
    assert batch.lines.to_list() == [3]


def test_ragged_and_blank_lines(put: Any) -> None:
    text = 'a,b\n\n1,2\n3\n4,5,6\n  \n"7",8\n9,"x,y"\n"broken"x,1\n10,11'
    good, bad = rows(put(text))
    assert good == [(3, "1", "2"), (7, "7", "8"), (8, "9", "x,y"), (10, "10", "11")]
    assert sorted(bad) == [(4, "ragged"), (5, "ragged"), (9, "malformed_quotes")]


def test_a_stray_quote_does_not_swallow_the_rest(put: Any) -> None:
    good, bad = rows(put('a,b\n1,"x\n2,y\n3,z\n'))
    assert good == [(3, "2", "y"), (4, "3", "z")]
    assert bad == [(2, "malformed_quotes")]


def test_other_delimiters_quotes_and_lines(put: Any) -> None:
    assert rows(put("a;b\r\n1;'x;y'\r\n"), replace(CSV, delimiter=";", quote="'"))[0] == [(2, "1", "x;y")]
    assert rows(put('a\tb\n5" tube\t2\n'), Format("tsv", delimiter="\t", quote=None))[0] == [
        (2, '5" tube', "2")
    ]
    assert rows(put("a,b\r1,2\r3,4\r"))[0] == [(2, "1", "2"), (3, "3", "4")]
    assert rows(put("made by x\n\n1,2\n"), replace(CSV, skip_rows=2, header=("a", "b")))[0] == [(3, "1", "2")]


def test_zip_members(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {
            "data/b.csv": "a\n2\n",
            "data/a.csv": "a\n1\n",
            "readme.txt": "no",
            "__MACOSX/data/._a.csv": "x",
        }.items():
            archive.writestr(name, text)
    assert members(source(member="*.csv"), path) == ["data/a.csv", "data/b.csv"]
    assert rows(path, member="data/b.csv") == ([(2, "2")], [])
    assert rows(path, pattern="*.csv") == ([(2, "1")], [])
    with pytest.raises(UnreadableFile, match="readme"):
        members(source(member="*.tsv"), path)
    with pytest.raises(UnreadableFile, match="no member"):
        rows(path, member="gone.csv")


def test_json_is_flattened_and_keeps_its_digits(put: Any) -> None:
    document = '{"as_of": "2024", "data": [{"id": "01", "n": 1.50, "at": {"x": [10, {"y": null}]}, "ok": true, "none": []}, {"id": 2}]}'
    (batch,) = read(source(replace(CSV, type="json", records="data")), put(document))
    assert batch.frame.to_dicts() == [
        {"$.as_of": "2024", "id": "01", "n": "1.50", "at.x.0": "10", "at.x.1.y": None, "ok": "true"},
        {"$.as_of": "2024", "id": "2", "n": None, "at.x.0": None, "at.x.1.y": None, "ok": None},
    ]
    assert batch.lines.to_list() == [1, 2]


def test_a_json_document_may_be_one_record(put: Any) -> None:
    form = replace(CSV, type="json", records=".")
    text = '{"id": "1", "slots": [["a"]], "none": []}'
    (batch,) = read(source(form), put(text))
    assert batch.frame.to_dicts() == [{"id": "1", "slots.0.0": "a"}]
    assert refused(put(text), replace(form, records="")).code == "no_records"
    for other in ("[]", "[{}]", '"text"', "3"):
        assert refused(put(other), form).code == "no_records"


def test_ndjson_keeps_physical_lines(put: Any) -> None:
    text = '{"a": 1}\n\n{"a": \n[1]\n{"b": 2}\n'
    good, bad = rows(put(text), replace(CSV, type="ndjson"))
    assert good == [(1, "1", None), (5, None, "2")]
    assert bad == [(3, "malformed_json"), (4, "malformed_json")]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    frame = pl.DataFrame({"at": [datetime(2024, 1, 1)], "who": [{"id": "x", "n": 1}], "list": [["a", "b"]]})
    frame.write_parquet(tmp_path / "file")
    (batch,) = read(source(replace(CSV, type="parquet")), tmp_path / "file")
    assert batch.frame.rows() == [(datetime(2024, 1, 1), "x", 1, '["a", "b"]')]
    assert batch.frame.columns == ["at", "who.id", "who.n", "list"]
    (tmp_path / "packed").write_bytes(gzip.compress((tmp_path / "file").read_bytes()))
    (packed,) = read(source(replace(CSV, type="parquet")), tmp_path / "packed")
    assert packed.frame.equals(batch.frame)


cells = st.lists(st.sampled_from([*'ab1,;"\n é漢\u00a0', "\r\n"]), max_size=6).map("".join)


@given(
    records=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=12),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ending=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from([",", ";"]),
    batch_rows=st.integers(1, 7),
)
def test_what_pythons_csv_writes_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[list[str]],
    quoting: Any,
    ending: str,
    delimiter: str,
    batch_rows: int,
) -> None:
    """Every record comes back in order, cell by cell, at the physical line where it begins, for any batch size."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerow(["one", "two", "three"])
    expected = []
    for record in records:
        line = out.getvalue().count("\n") + 1
        writer.writerow(record)
        expected.append((line, *record))
    path = tmp_path_factory.mktemp("csv") / "file"
    path.write_bytes(out.getvalue().encode())
    assert rows(path, replace(CSV, delimiter=delimiter), batch_rows) == (expected, [])


@given(
    text=st.text(alphabet=st.sampled_from('ab,"\n 1'), max_size=60),
    sizes=st.tuples(st.integers(1, 5), st.integers(6, 99)),
)
def test_any_text_reads_alike_for_every_batch_size_and_no_line_is_lost(
    tmp_path_factory: pytest.TempPathFactory, text: str, sizes: tuple[int, int]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "file"
    path.write_bytes(("one,two\n" + text).encode())
    first, second = (tuple(map(sorted, rows(path, batch_rows=size))) for size in sizes)
    assert first == second
    starts = {line for line, *_ in [*first[0], *first[1]]}
    # Every line that is not blank belongs to a record: it begins one, or lies inside one with quoted line feeds.
    inside = {
        line + offset
        for line, *record in first[0]
        for offset in range(sum(cell.count("\n") for cell in record) + 1)
    }
    inside |= {line for line, _ in first[1]}
    filled = {number for number, line in enumerate(text.split("\n"), 2) if line.strip()}
    ragged_with_feeds = any(code == "ragged" for _, code in first[1]) and '"' in text
    assert starts <= filled | inside
    assert filled <= inside or ragged_with_feeds


plain = st.sampled_from([None, 0, -7, 1.5, "", "é", "01", True, [], ["x"], {"c": 1}])
objects = st.fixed_dictionaries({"a": plain}, optional={"b": plain})


@given(document=st.lists(objects, min_size=1, max_size=9), batch_rows=st.integers(1, 4))
def test_json_and_ndjson_read_alike(
    tmp_path_factory: pytest.TempPathFactory, document: list[dict[str, Any]], batch_rows: int
) -> None:
    directory = tmp_path_factory.mktemp("json")
    (directory / "a").write_text(json.dumps(document), encoding="utf-8")
    (directory / "b").write_text("\n".join(json.dumps(record) for record in document), encoding="utf-8")

    def cells_of(name: str, kind: str) -> list[tuple[int, dict[str, str]]]:
        found = []
        for batch in read(source(replace(CSV, type=kind)), directory / name, batch_rows=batch_rows):
            records = batch.frame.to_dicts() if batch.frame.width else [{} for _ in batch.lines]
            found += [
                (line, {key: value for key, value in record.items() if value is not None})
                for line, record in zip(batch.lines.to_list(), records, strict=True)
            ]
        return found

    assert cells_of("a", "json") == cells_of("b", "ndjson")


def test_parquet_with_moments_at_a_fixed_offset_keeps_the_moments(tmp_path: Path) -> None:
    moments = pa.array([datetime(2029, 1, 1, tzinfo=UTC)], pa.timestamp("ms", "+05:30"))
    pq.write_table(pa.table({"at": moments}), tmp_path / "file")
    (batch,) = read(source(replace(CSV, type="parquet")), tmp_path / "file")
    assert batch.frame["at"].to_list() == [datetime(2029, 1, 1, tzinfo=UTC)]
