"""XML as ElementTree and hands write it: XPaths, namespaces, streaming, and what must never be expanded."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from caregrid.errors import CareGridError
from caregrid.feeds.xml_paths import split_path
from caregrid.mapping import UnreadableFile, read
from caregrid.mapping.expressions import expression_problems
from caregrid.mapping.readers import xml_records

pytestmark = pytest.mark.unit
FORM = "{type: xml, records: /report/bed, fields: {id: '@id', day: ../@day, n: taken, note: note}}"


@pytest.fixture
def take(read_records: Any) -> Any:
    """Return a function that reads a document: ([(order, record)], [reject]), without what is missing."""

    def reading(content: str | bytes, form: str = FORM, batch_rows: int = 50_000) -> Any:
        data = content.encode() if isinstance(content, str) else content
        records, rejects = read_records(data, form, batch_rows)
        return [
            (order, {key: value for key, value in record.items() if value is not None})
            for order, record in records
        ], rejects

    return reading


def form(records: str, **fields: str) -> str:
    told = ", ".join(
        f"{name}: {xpath if xpath.startswith('{') else json.dumps(xpath)}" for name, xpath in fields.items()
    )
    return f"{{type: xml, records: {json.dumps(records)}, fields: {{{told}}}}}"


def report(count: int = 3) -> bytes:
    """Return a report that ElementTree wrote."""
    root = ET.Element("report", day="2029-01-01")
    for number in range(1, count + 1):
        bed = ET.SubElement(root, "bed", id=f"A{number}")
        ET.SubElement(bed, "taken").text = str(number)
        ET.SubElement(bed, "note").text = '急診 <一> & "床"\n'
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def test_a_document_becomes_rows_told_by_their_order(small: Any) -> None:
    outcome = small.map(small.usage(form=FORM), report())
    assert outcome.rows.select("line", "code", "value").rows() == [
        (1, "A1", 1.0),
        (2, "A2", 2.0),
        (3, "A3", 3.0),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "big5", "gb18030", "shift_jis"])
def test_the_document_says_its_own_encoding(encoding: str, take: Any) -> None:
    word = "Zürich" if encoding == "iso-8859-1" else "一床"
    text = f'<?xml version="1.0" encoding="{encoding}"?><report day="d"><bed id="{word}"/></report>'
    assert take(text.encode(encoding))[0] == [(1, {"id": word, "day": "d"})]


def test_a_mark_of_utf_8_and_crlf_are_no_hindrance(take: Any) -> None:
    text = '<?xml version="1.0"?>\r\n<report day="d">\r\n<bed id="A"><note>a\r\nb</note></bed></report>\r\n'
    assert take(b"\xef\xbb\xbf" + text.encode())[0] == [(1, {"id": "A", "day": "d", "note": "a\nb"})]


def test_namespaces_are_named_by_prefixes_of_the_feed(take: Any) -> None:
    text = (
        '<r xmlns="urn:a" xmlns:b="http://example.org/b/">'
        '<b:bed><id>A1</id><b:taken unit="beds">7</b:taken></b:bed>'
        "<bed><id>of another kind</id></bed></r>"
    )
    fields = "fields: {id: x:id, n: y:taken, unit: 'y:taken/@unit'}"
    spaces = "namespaces: {x: 'urn:a', y: 'http://example.org/b/'}"
    records, _ = take(text, f"{{type: xml, records: //y:bed, {fields}, {spaces}}}")
    assert records == [(1, {"id": "A1", "n": "7", "unit": "beds"})]
    with pytest.raises(UnreadableFile, match=r"no_records: .*begins with the elements \{urn:a\}r, "):
        take(text, form("/r/bed", id="id"))


NESTED = """<region code="N"><day>2029-01-01</day>
  <hospital id="H1"><name>North</name>
    <ward kind="icu"><open>5</open><wards><ward kind="inner"/></wards></ward>
    <ward kind="gen"><open>9</open></ward></hospital>
  <hospital id="H2"><name>South</name><ward kind="icu"><open>1</open></ward></hospital>
  <day>2029-01-02</day>
  <hospital id="H3"><ward kind="icu"/></hospital></region>"""


def test_fields_may_look_at_what_stands_around_the_record(take: Any) -> None:
    fields = {
        "id": "../@id",
        "name": "concat(../name, '/', ancestor::region/@code)",
        "n": "open",
        "day": "/region/day",
    }
    records, rejects = take(NESTED, form("/region/hospital/ward", **fields))
    assert records == [
        (1, {"id": "H1", "name": "North/N", "n": "5", "day": "2029-01-01"}),
        (2, {"id": "H1", "name": "North/N", "n": "9", "day": "2029-01-01"}),
        (3, {"id": "H2", "name": "South/N", "n": "1", "day": "2029-01-01"}),
    ]
    assert [(reject.line, reject.reasons[0]["code"]) for reject in rejects] == [(4, "several_values")]
    records, _ = take(NESTED, form("//ward[@kind='icu'][open]", id="../@id", n="count(open)", b="boolean(x)"))
    assert records == [(1, {"id": "H1", "n": "1", "b": "false"}), (2, {"id": "H2", "n": "1", "b": "false"})]


def test_several_nodes_are_joined_where_the_feed_says_so(take: Any) -> None:
    text = "<r><h><s>x</s><s>y</s></h></r>"
    assert take(text, form("/r/h", s="{xpath: s, separator: '|'}"))[0] == [(1, {"s": "x|y"})]


def test_a_field_that_no_record_has_is_a_column_gone(small: Any) -> None:
    with pytest.raises(UnreadableFile, match=r"missing_column: column 'n' is gone .* by XPath taken"):
        small.map(small.usage(form=FORM), report().replace(b"taken", b"occupied"))
    late = report(3).replace(b"<taken>1</taken>", b"").replace(b"<taken>2</taken>", b"")
    assert small.map(small.usage(form=FORM), late, batch_rows=1).rows["value"].to_list() == [None, None, 3.0]


def test_batches_hold_the_same_records_however_they_are_cut(take: Any) -> None:
    assert take(report(7), batch_rows=2) == take(report(7))
    assert len(take(report(7))[0]) == 7


def test_a_wide_record_is_read(take: Any) -> None:
    cells = "".join(f"<c{number}>{number}</c{number}>" for number in range(10_000))
    assert take(f"<r><h>{cells}</h></r>", form("/r/h", last="c9999"))[0] == [(1, {"last": "9999"})]


class _Endless:
    """A document of forty thousand records that is made as it is read."""

    def __init__(self, beside: bytes) -> None:
        self.parts = self._parts(beside)
        self.room = b""

    @staticmethod
    def _parts(beside: bytes) -> Iterator[bytes]:
        yield b'<report day="d">'
        for _ in range(40):
            yield (
                b"".join(b'<bed id="%d"><taken>7</taken></bed>%s' % (n, beside) for n in range(1000)) + b"\n"
            )
        yield b"</report>"

    def read(self, size: int) -> bytes:
        while len(self.room) < size and (part := next(self.parts, b"")):
            self.room += part
        block, self.room = self.room[:size], self.room[size:]
        return block


@pytest.mark.parametrize("looks_out", [False, True])
def test_what_was_read_is_forgotten(looks_out: bool, small: Any) -> None:
    fields = {"day": "../@day", "id": "@id"} if looks_out else {"id": "@id", "n": "taken"}
    (source,) = small.usage(form=form("/report/bed", **fields)).sources.values()
    most = count = 0
    stream: Any = _Endless(b"" if looks_out else b"<other><x/></other>")
    for element in xml_records._elements(stream, source.format, {}):
        count += 1
        most = max(most, len(element.getroottree().getroot()))
    assert count == 40_000
    assert most < count / 10  # the parser runs some kilobytes ahead


def test_what_a_field_sees_does_not_depend_on_how_far_the_parser_has_run_ahead(take: Any) -> None:
    fields = {"id": "../@id", "day": "/region/day"}
    near = NESTED.replace("<day>2029-01-02</day>", "").replace(
        '<hospital id="H2">', '<day/><hospital id="H2">'
    )
    far = near.replace("<day/>", " " * 200_000 + "<day/>")
    records, rejects = take(near, form("/region/hospital/ward", **fields))
    assert [line for line, _ in records] == [1, 2]
    assert [reject.line for reject in rejects] == [3, 4]
    again = take(far, form("/region/hospital/ward", **fields))
    assert (again[0], [reject.line for reject in again[1]]) == (records, [3, 4])


def test_elements_that_a_field_may_need_are_not_kept_without_end(small: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(f'<report day="d">{"<other/>" * 200_001}<bed id="A"/></report>', encoding="utf-8")
    (source,) = small.usage(form=FORM).sources.values()
    with pytest.raises(UnreadableFile, match="looks out of its record"):
        list(read(source, path))


BOMB = (
    "<!DOCTYPE r [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {new} '{f'&{old};' * 10}'>" for old, new in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><report day='d'><bed id='A'><note>&i;</note></bed></report>"
)
HOSTILE: dict[str, tuple[str | bytes, str, str]] = {
    "nothing": ("", "empty", "holds nothing"),
    "blank": (" \r\n", "empty", "holds nothing"),
    "entity bomb": (BOMB, "not_this_format", "declares entities"),
    "bomb in UTF-16": (BOMB.encode("utf-16"), "not_this_format", "declares entities"),
    "bomb in an attribute": (BOMB.replace("id='A'", "id='&i;'"), "not_this_format", "declares entities"),
    "a file of this machine": (
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><report><bed id="A"><n>&x;</n></bed></report>',
        "not_this_format",
        "declares entities",
    ),
    "bomb behind a comment": ("<!-- x > -->" + BOMB, "not_this_format", "declares entities"),
    "parameter entities": (
        '<!DOCTYPE r SYSTEM "x.dtd" [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x">%p;]><report/>',
        "not_this_format",
        "declares entities",
    ),
    "web page": ("<!DOCTYPE html><html><body>Sorry</body></html>", "html", "web page"),
    "page without doctype": ("\n<HTML><body>Sorry</body></html>", "html", "web page"),
    "JSON": ('{"id": 1}', "not_this_format", "no XML"),
    "a line of text": ("Service unavailable", "error_text", "Service unavailable"),
    "zip": (b"PK\x05\x06" + b"\0" * 18, "not_this_format", "no XML"),
    "cut": (report()[:-20], "not_this_format", "no whole XML: line 5"),
    "another encoding": (
        b'<?xml version="1.0"?><report day="d"><bed id="Z\xfcrich"/></report>',
        "undecodable",
        "line 1",
    ),
    "UTF-32": ("<report/>".encode("utf-32"), "undecodable", "UTF-32"),
    "Windows-1252 declared as Latin-1": (
        b'<?xml version="1.0" encoding="iso-8859-1"?><report day="d"><bed id="\x93A\x94"/></report>',
        "control_characters",
        "cp1252",
    ),
    "a prefix without a namespace": (
        '<report day="d"><h:bed id="A"/></report>',
        "not_this_format",
        "no namespace for the prefix of 'h:bed'",
    ),
    "NUL": (b'<report day="d"><bed id="A\x00"/></report>', "not_this_format", "no whole XML"),
    "no record": ('<report day="d"><room/></report>', "no_records", "report, room"),
    "nested without end": ("<a>" * 5000, "not_this_format", "no whole XML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_rejected_with_a_reason(name: str, take: Any) -> None:
    content, code, words = HOSTILE[name]
    with pytest.raises(UnreadableFile) as refused:
        take(content)
    assert (refused.value.code, words in refused.value.reason) == (code, True), refused.value


def test_a_doctype_alone_is_not_followed_and_its_entities_reject_their_record(take: Any) -> None:
    text = '<!DOCTYPE report SYSTEM "http://127.0.0.1:1/report.dtd"><report day="d"><bed id="A"/></report>'
    assert take(text)[0] == [(1, {"id": "A", "day": "d"})]
    records, rejects = take(text.replace("</report>", '<bed id="B"><note>a&nbsp;b</note></bed></report>'))
    assert [record["id"] for _, record in records] == ["A"]
    assert [(reject.line, reject.reasons[0]["code"]) for reject in rejects] == [(2, "unknown_entity")]
    assert "&nbsp;" in rejects[0].reasons[0]["message"]


def test_an_encoding_of_the_feed_overrules_what_the_document_says(take: Any) -> None:
    text = '<?xml version="1.0" encoding="utf-8"?><report day="d"><bed id="Zürich"/></report>'
    records, _ = take(text.encode("cp1252"), FORM.replace("type: xml", "type: xml, encoding: cp1252"))
    assert records == [(1, {"id": "Zürich", "day": "d"})]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("records: /report/bed, ", "", "cannot be read without records"),
        ("/report/bed", "report/bed", "it is no path of names"),
        ("/report/bed", "'/report/bed[2]'", "it counts elements"),
        ("/report/bed", "/h:report/bed", "no namespace is given for the prefix 'h'"),
        ("n: taken", "n: //taken", "begin with .//"),
        ("n: taken", "n: 'preceding-sibling::bed/taken'", "before or behind"),
        ("n: taken", "n: 'h:taken'", "prefix 'h'"),
    ],
)
def test_the_check_tells_what_a_stream_cannot_follow(old: str, new: str, words: str, small: Any) -> None:
    with pytest.raises(CareGridError) as refused:
        small.usage(form=FORM.replace(old, new))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("n: taken", "n: 'taken['", "fields.n"),
        ("n: taken", "n: 'taking(.)'", "fields.n"),
        ("n: taken", "m: taken", "fields"),
    ],
)
def test_the_check_compiles_every_xpath(old: str, new: str, field: str, small: Any, tmp_path: Path) -> None:
    file = tmp_path / "small.yml"
    file.write_text(small.text(FORM.replace(old, new)), encoding="utf-8")
    (problem,) = expression_problems(file)
    assert problem.field == f"sources.s.format.{field}"


def test_paths_of_records_match_by_name_and_depth() -> None:
    match = split_path("/a//p:b/*").matcher({"p": "urn:p"})
    for names in (["a", "{urn:p}b", "c"], ["a", "x", "{urn:p}b", "{urn:q}c"]):
        assert match(names)
    for names in (["a", "b", "c"], ["a", "{urn:p}b"], ["x", "a", "{urn:p}b", "c"]):
        assert not match(names)
