"""HL7 v2: frames, batches, escapes, encodings, bad messages one by one, and nothing about a patient."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import zstandard
from caregrid.feeds.model import Format, Source
from caregrid.mapping import Reject, UnreadableFile, read, sift
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit
FORM = Format("hl7")
SOURCE = Source("feed", "source", None, None, None, FORM, ("",), (), (), {}, {}, False)
PRIVATE = "Quimby"


def header(charset: str = "", number: str = "1", kind: str = "ADT^A01", marks: str = "|^~\\&") -> str:
    sender = "APP^1.2.3^ISO" if marks == "|^~\\&" else "APP"
    return f"MSH{marks}|{sender}|SITE|TO|THERE|20200508130643||{kind}|{number}|P|2.5|||AL||44|{charset}"


def message(*segments: str, **of_header: str) -> str:
    return "\r".join([header(**of_header), *segments]) + "\r"


PID = f"PID|1|4711|4711^^^MRN~999^^^NHS||{PRIVATE}^Anna^^^Ms||19890118|F|||1 {PRIVATE} Road^^London||020 1234"
PV1 = (
    "PV1|1|I|Ward 7^Room 3^Bed 1^Town Hospital^^BED|28b||Ward 1^^^Town Hospital|C006^Woolfson^Kathleen|||MED"
)
ADMIT = message("EVN|A01|202005081306||||20200508125959.123+0100", PID, PV1)


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "landed"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def rows(path: Path, batch_rows: int = 50_000) -> tuple[list[dict[str, str]], list[Reject]]:
    """Return the records with their line, without empty columns, and the rejects."""
    good: list[dict[str, Any]] = []
    bad: list[Reject] = []
    for batch in read(SOURCE, path, batch_rows=batch_rows):
        for line, row in zip(batch.lines.to_list(), batch.frame.rows(named=True), strict=True):
            good.append({"line": line} | {name: text for name, text in row.items() if text is not None})
        bad += batch.rejects
    return good, bad


def codes(rejects: list[Reject]) -> list[tuple[int, str]]:
    return [(reject.line, reject.reasons[0]["code"]) for reject in rejects]


def test_of_a_message_only_what_where_and_the_hour_are_read(put: Any) -> None:
    assert rows(put(ADMIT)) == (
        [
            {
                "line": 1,
                "MSH-3.1": "APP",
                "MSH-4.1": "SITE",
                "MSH-7.1": "2020-05-08T13:00",
                "MSH-9.1": "ADT",
                "MSH-9.2": "A01",
                "MSH-10.1": "1",
                "MSH-11.1": "P",
                "MSH-12.1": "2.5",
                "EVN-1.1": "A01",
                "EVN-2.1": "2020-05-08T13:00",
                "EVN-6.1": "2020-05-08T12:00+0100",
                "PV1-2.1": "I",
                "PV1-3.1": "Ward 7",
                "PV1-3.4": "Town Hospital",
                "PV1-4.1": "28b",
                "PV1-6.1": "Ward 1",
                "PV1-6.4": "Town Hospital",
                "PV1-10.1": "MED",
            }
        ],
        [],
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one: "".join(one),
        lambda one: "\n\n".join(one),
        lambda one: "\r\n" + "".join(text.replace("\r", "\r\n") for text in one),
        lambda one: "".join(text.replace("\r", "\n") for text in one),
        lambda one: "".join(f"\x0b{text}\x1c\r" for text in one),
        lambda one: "\x0b" + "\x1c\r\x0b".join(text.rstrip("\r") for text in one),
        lambda one: "\ufeff" + "".join(one),
        lambda one: "FHS|^~\\&\rBHS|^~\\&|APP\r" + "".join(one) + "BTS|3|done\rFTS|1\r",
        lambda one: "BHS|^~\\&\r" + one[0] + "BTS|1\rBHS|^~\\&\r" + one[1] + one[2] + "BTS\r",
        lambda one: "FHS#*~\\&#APP\rBHS#*~\\&\r" + "".join(one) + "BTS#3\rFTS#1\r",
    ],
    ids=["cr", "lf_between", "crlf", "lf", "mllp", "mllp_cut", "bom", "batch", "two_batches", "other_marks"],
)
def test_messages_are_found_in_every_wrapping(put: Any, wrap: Any) -> None:
    one = [message(PID, PV1, number=str(number)) for number in (1, 2, 3)]
    content = wrap(one).encode()
    for packed in (content, gzip.compress(content)):
        good, bad = rows(put(packed))
        assert [(row["line"], row["MSH-10.1"], row["PV1-3.1"]) for row in good] == [
            (1, "1", "Ward 7"),
            (2, "2", "Ward 7"),
            (3, "3", "Ward 7"),
        ]
        assert bad == []


def test_other_separators_are_those_that_the_message_names(put: Any) -> None:
    text = "MSH#*%!@#APP#SITE###20200508##ADT*A04#7#P#2.5\rPV1##E#A!S!B!F!C!E!D*R*B*H!T!I%W2*R*B*H2\r"
    ((row,), bad) = rows(put(text))
    assert (row["MSH-9.2"], row["PV1-3.1"], row["PV1-3.4"], bad) == ("A04", "A*B#C!D", "H@I", [])
    assert row["MSH-7.1"] == "2020-05-08"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"A\F\B", "A|B"),
        (r"A\S\B\T\C\R\D\E\E", r"A^B&C~D\E"),
        (r"\H\Ward\N\ 1", "Ward 1"),
        (r"A\.br\B", "A B"),
        (r"M\XC3BC\nster", "Münster"),
        (r"M\XFF\nster", r"M\XFF\nster"),
        (r"A\X0D\B", "A B"),
        (r"A\Zlocal\B", r"A\Zlocal\B"),
        (r"A\B", r"A\B"),
        ("Ward~Other", "Ward"),
        ("Ward&sub", "Ward"),
    ],
)
def test_escapes_and_repetitions_of_a_ward(put: Any, written: str, meant: str) -> None:
    ((row,), _) = rows(put(message(f"PV1||I|{written}^^^H", charset="UNICODE UTF-8")))
    assert row["PV1-3.1"] == meant


def test_two_quotes_delete_and_are_no_text(put: Any) -> None:
    ((row,), _) = rows(put(message('PV1||I|""^^^H')))
    assert "PV1-3.1" not in row


@pytest.mark.parametrize(
    ("charset", "codec", "ward"),
    [
        ("8859/1", "latin-1", "Süd"),
        ("8859/2", "iso8859-2", "Łódź"),
        ("8859/15", "iso8859-15", "Œuvre €"),
        ("UNICODE UTF-8", "utf-8", "急诊"),
        ("UNICODE UTF-8~8859/1", "utf-8", "急诊"),
        ("", "utf-8", "Süd"),
        ("BIG-5", "big5", "功許蓋"),  # the second bytes are those of \ and other separators
        ("GB 18030-2000", "gb18030", "急诊亅亇"),
    ],
)
def test_the_encoding_is_the_one_that_the_message_names(
    put: Any, charset: str, codec: str, ward: str
) -> None:
    text = message(PID, f"PV1||I|{ward}^^^H", charset=charset.split("~", maxsplit=1)[0])
    ((row,), bad) = rows(put(text.encode(codec)))
    assert (row["PV1-3.1"], bad) == (ward, [])


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (message(PID, PV1, charset="EBCDIC"), "unknown_encoding"),
        (message(PID, "PV1||I|S\xfcd^^^H", charset="ASCII").encode("latin-1"), "undecodable"),
        (message(PID, "PV1||I|S\x81d^^^H", charset="8859/1").encode("latin-1"), "control_characters"),
        (message(PID, PV1, PV1), "segment_twice"),
        (message(PID, "PV1||I|" + "W" * 101), "too_long"),
        (message(PID, PV1, kind=""), "bad_header"),
        ("MSH|^^^^|APP|||||ADT^A01|1\r", "bad_header"),
        ("MSH|\r" + PID + "\r", "bad_header"),
    ],
)
def test_a_bad_message_is_rejected_alone_with_its_ordinal_and_not_a_word_of_it(
    put: Any, bad: Any, code: str
) -> None:
    content = bad if isinstance(bad, bytes) else bad.encode()
    good, rejects = rows(put(ADMIT.encode() + content + ADMIT.encode()), batch_rows=2)
    assert [row["line"] for row in good] == [1, 3]
    assert codes(rejects) == [(2, code)]
    assert PRIVATE not in str(rejects)
    assert rejects[0].record == {}


@pytest.mark.parametrize("time", ["yesterday", PRIVATE, "2020-05-08", "20200508130643Z", "202"])
def test_a_time_that_is_none_is_told_and_not_shown(put: Any, time: str) -> None:
    ((row,), _) = rows(put(message(f"EVN|A01|{time}")))
    assert row["EVN-2.1"] == "no time"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\r\n\x0b \x1c\r", "empty"),
        (b"<html>busy</html>", "html"),
        (b"try again later", "error_text"),
        (b"a;b\n1;2\n", "not_this_format"),
        (b"PK\x03\x04\x00", "not_this_format"),
        (ADMIT.encode("utf-16"), "not_this_format"),
        (b"PID|1|2\r" + ADMIT.encode(), "not_this_format"),
        (gzip.compress(ADMIT.encode() * 50)[:-20], "not_this_format"),
        (b"BHS|^~\\&\r" + ADMIT.encode() + b"BTS|2\r", "not_this_format"),
        (b"BHS|^~\\&\r" + ADMIT.encode(), "not_this_format"),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ADMIT.encode() + b"BTS|1\r", "not_this_format"),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ADMIT.encode() + b"FTS|1\r", "not_this_format"),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ADMIT.encode() + b"BTS|1\rFTS|3\r", "not_this_format"),
        (message(PID, charset="EBCDIC").encode() * 2, "not_this_format"),
    ],
)
def test_what_is_no_hl7_or_was_cut_is_one_rejected_file(put: Any, content: bytes, code: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        rows(put(content))
    assert refused.value.code == code
    assert PRIVATE not in refused.value.reason


def test_a_batch_without_messages_holds_no_record(put: Any) -> None:
    assert rows(put("BHS|^~\\&\rBTS|0\r")) == ([], [])


def test_a_file_is_read_in_blocks_of_any_size(put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("\n".join(message(PID, PV1, number=str(number)) for number in range(1, 6)))
    whole = rows(path)
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr("caregrid.mapping.readers.hl7._BLOCK", size)
        assert rows(path) == whole
    assert len(whole[0]) == 5


def test_a_compressed_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caregrid.mapping.readers.containers._BOMB_BYTES", 1 << 20)
    monkeypatch.setattr("caregrid.mapping.readers.containers._BOMB_RATIO", 20)
    with pytest.raises(UnreadableFile, match="unpacks"):
        list(sift([gzip.compress(ADMIT.encode() * 20_000)], FORM))


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gzip", "zstd"]
)
def test_what_is_kept_of_a_file_gives_the_same_records_and_holds_no_patient(put: Any, pack: Any) -> None:
    bad = message(PID, PV1, PV1)
    whole = (ADMIT + "\n" + bad + ADMIT.replace("Ward 7", r"A\F\B\S\C\R\D\T\E\E\F 急")).encode()
    whole = b"FHS|^~\\&|Quimby\rBHS|^~\\&\r" + whole + b"BTS|3|Quimby\rFTS|1|Quimby\r"
    packed = pack(whole)
    kept = b"".join(sift([packed[start : start + 11] for start in range(0, len(packed), 11)], FORM))
    assert rows(put(kept)) == rows(put(whole))
    assert b"".join(sift([kept], FORM)) == kept
    for word in (
        PRIVATE,
        "Anna",
        "4711",
        "999",
        "Road",
        "Room",
        "Bed",
        "Woolfson",
        "19890118",
        "0643",
        "5959",
    ):
        assert word not in kept.decode()


WORD = st.text(
    st.sampled_from(list('AB9 ^~\\&|\r\n\x0b\x1c"#.XFé急\x85')) | st.characters(codec="utf-8"), max_size=12
)
NAME = st.sampled_from(["EVN", "PID", "PV1", "MSH", "ZCG", "x"])
SEGMENT = st.builds(lambda name, fields: "|".join([name, *fields]), NAME, st.lists(WORD, max_size=8))


@given(
    parts=st.lists(st.lists(SEGMENT, max_size=4), min_size=1, max_size=4),
    charset=st.sampled_from(["", "ASCII", "8859/1", "UNICODE UTF-8", "BIG-5", "odd"]),
)
def test_whatever_comes_what_is_kept_reads_as_the_file_does(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[str]], charset: str
) -> None:
    path = tmp_path_factory.mktemp("hl7") / "landed"
    whole = "".join(message(*segments, charset=charset) for segments in parts).encode()
    path.write_bytes(whole)
    try:
        expected = rows(path)
    except UnreadableFile as problem:
        if "can be read" not in problem.reason:
            with pytest.raises(UnreadableFile):
                list(sift([whole], FORM))
        return
    kept = b"".join(sift([whole], FORM))
    path.write_bytes(kept)
    assert rows(path) == expected
    assert b"".join(sift([kept], FORM)) == kept
