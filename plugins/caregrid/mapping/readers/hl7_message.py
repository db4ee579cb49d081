"""One HL7 v2 message: the few fields that say what happened where and in which hour, and never to whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Field by field what may leave a message. Names, numbers, addresses, rooms, beds, doctors, visits and every
# other segment are not even looked at.
_FIELDS = (
    ("MSH", 3, 1),
    ("MSH", 4, 1),
    ("MSH", 7, 1),
    ("MSH", 9, 1),
    ("MSH", 9, 2),
    ("MSH", 10, 1),
    ("MSH", 11, 1),
    ("MSH", 12, 1),
    ("EVN", 1, 1),
    ("EVN", 2, 1),
    ("EVN", 6, 1),
    ("PV1", 2, 1),
    ("PV1", 3, 1),
    ("PV1", 3, 4),
    ("PV1", 4, 1),
    ("PV1", 6, 1),
    ("PV1", 6, 4),
    ("PV1", 10, 1),
    ("PV1", 14, 1),
    ("PV1", 36, 1),
    ("PV1", 44, 1),
    ("PV1", 45, 1),
)
_TIMES = {"MSH-7.1", "EVN-2.1", "EVN-6.1", "PV1-44.1", "PV1-45.1"}
COLUMNS = tuple(f"{segment}-{number}.{part}" for segment, number, part in _FIELDS)
_SEGMENTS = {segment for segment, _, _ in _FIELDS}
# Table 0211 of HL7, for what Python reads; UNICODE alone cannot be UTF-16, whose messages would not be found.
_ENCODINGS = {
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    **{f"8859/{number}": f"iso8859-{number}" for number in (*range(1, 10), 15)},
}
_SEGMENT_START = re.compile(rb"[\r\n\x0b\x1c]+(?=[A-Z][A-Z0-9]{2}[^\w\s])")
_TIME = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\d\d(?:\d\d(?:\.\d{1,4})?)?)?)?)?)?([+-]\d{4})?")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# A segment of our own: what became of a message whose content is not kept.
_REFUSED = "ZCG"
_LONGEST = 100
NO_TIME = "no time"


@dataclass
class Event:
    """What is kept of a message: column → text. Times are cut to the hour: 2020-05-08T13:00, with offset."""

    values: dict[str, str] = field(default_factory=dict)


@dataclass
class Refusal:
    """A message that cannot be read: a code and a reason that quote nothing of it."""

    code: str
    message: str


@dataclass(frozen=True)
class _Marks:
    """The characters that part a message, and how its text is encoded."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    encoding: str


def parse(message: bytes, default_encoding: str) -> Event | Refusal:
    """Return what may be known of a message that begins with MSH, in any encoding that MSH-18 names."""
    parts = _SEGMENT_START.split(message.strip(b"\r\n\x0b\x1c"))
    marks = _marks(parts[0], default_encoding)
    if isinstance(marks, Refusal):
        return marks
    segments: dict[str, list[str]] = {}
    for part in parts:
        name = part[:3].decode("ascii", "replace")
        if name not in _SEGMENTS and name != _REFUSED:
            continue
        if name in segments:
            return Refusal("segment_twice", f"{name} stands twice: two visits or two messages in one")
        try:
            text = part.decode(marks.encoding)
        except UnicodeDecodeError:
            return Refusal("undecodable", f"{name} is not {marks.encoding}, as MSH-18 or the feed says")
        if _CONTROL.search(text):
            return Refusal(
                "control_characters", f"{name} holds control characters: its encoding is another one"
            )
        fields = text.split(marks.field)
        # The separator after MSH is itself its first field.
        segments[name] = [name, marks.field, *fields[1:]] if name == "MSH" else fields
    if _REFUSED in segments:
        told = [_unescaped(text, marks) for text in segments[_REFUSED][1:3]]
        return Refusal(*told) if len(told) == 2 else Refusal("bad_header", f"{_REFUSED} is no segment of HL7")
    return _event(segments, marks)


def _event(segments: dict[str, list[str]], marks: _Marks) -> Event | Refusal:
    event = Event()
    for segment, number, part in _FIELDS:
        name = f"{segment}-{number}.{part}"
        text = _value(segments.get(segment, []), number, part, marks)
        if name in _TIMES and text:
            text = _hour(text)
        if len(text) > _LONGEST:
            return Refusal("too_long", f"{name} holds more than {_LONGEST} characters: it is no code")
        if text:
            event.values[name] = text
    if "MSH-9.1" not in event.values:
        return Refusal("bad_header", "MSH-9 does not say what kind of message it is")
    return event


def _marks(header: bytes, default_encoding: str) -> _Marks | Refusal:
    separator = header[3:4]
    if not separator.isascii() or separator.isalnum() or not separator.strip():
        return Refusal("bad_header", "MSH-1 is no field separator")
    fields = header.split(separator)
    given = fields[1].decode("ascii", "replace") if len(fields) > 1 else ""
    marks = given[:4] + "^~\\&"[len(given) : 4]
    if (
        not given
        or len({separator.decode(), *marks}) < 5
        or any(mark.isalnum() or mark <= " " for mark in marks)
    ):
        return Refusal("bad_header", "MSH-2 does not name four different separators")
    charset = (
        fields[17].split(marks[1].encode())[0].decode("ascii", "replace").strip() if len(fields) > 17 else ""
    )
    encoding = _ENCODINGS.get(charset) if charset else default_encoding
    if encoding is None:
        return Refusal("unknown_encoding", "MSH-18 names no character set that can be read")
    return _Marks(separator.decode(), marks[0], marks[1], marks[2], marks[3], encoding)


def _value(fields: list[str], number: int, part: int, marks: _Marks) -> str:
    """Return one component of the first repetition; '' when it is absent, empty or to be deleted ("")."""
    if number >= len(fields):
        return ""
    components = fields[number].split(marks.repetition)[0].split(marks.component)
    text = components[part - 1].split(marks.subcomponent)[0] if part <= len(components) else ""
    text = " ".join(_unescaped(text, marks).split())
    return "" if text == '""' else text


def _unescaped(text: str, marks: _Marks) -> str:
    if marks.escape not in text:
        return text
    mark = re.escape(marks.escape)
    return re.sub(f"{mark}([^{mark}]*){mark}", lambda match: _meant(match[1], match[0], marks), text)


def _meant(inner: str, whole: str, marks: _Marks) -> str:
    """Return what an escape sequence stands for; highlighting vanishes, an unknown one stays as it is."""
    plain = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.subcomponent,
        "R": marks.repetition,
        "E": marks.escape,
        "H": "",
        "N": "",
        ".br": " ",
        ".sp": " ",
    }
    if inner in plain:
        return plain[inner]
    if inner.startswith("X") and len(inner) % 2:
        try:
            text = bytes.fromhex(inner[1:]).decode(marks.encoding)
        except ValueError:
            return whole
        return _CONTROL.sub("", text)
    return whole


def _hour(text: str) -> str:
    """Cut a time to its hour: minutes and seconds tell patients apart. What is no time is not shown."""
    match = _TIME.fullmatch(text)
    if match is None:
        return NO_TIME
    year, month, day, hour, offset = match.groups()
    date = "-".join(part for part in (year, month, day) if part)
    return f"{date}T{hour}:00{offset or ''}" if hour else date


def write(found: Event | Refusal) -> bytes:
    """Return a message that holds what was kept of another, so that `parse` returns the same of both."""
    if isinstance(found, Refusal):
        lines = ["MSH|^~\\&|", f"{_REFUSED}|{_escaped(found.code)}|{_escaped(found.message)}"]
        return _joined(lines)
    lines = []
    for segment in ("MSH", "EVN", "PV1"):
        cells: dict[int, dict[int, str]] = {}
        for name, number, part in _FIELDS:
            text = found.values.get(f"{name}-{number}.{part}")
            if name == segment and text is not None:
                cells.setdefault(number, {})[part] = (
                    _digits(text) if f"{name}-{number}.{part}" in _TIMES else text
                )
        if segment == "MSH":
            cells[18] = {1: "UNICODE UTF-8"}
        if cells:
            first = 3 if segment == "MSH" else 1
            fields = [_components(cells.get(number, {})) for number in range(first, max(cells) + 1)]
            lines.append("|".join(["MSH|^~\\&" if segment == "MSH" else segment, *fields]))
    return _joined(lines)


def _digits(text: str) -> str:
    """Write a time as HL7 does again: 2020-05-08T13:00+0100 is 2020050813+0100."""
    date, has_hour, clock = text.partition("T")
    if text == NO_TIME:
        return text
    return date.replace("-", "") + (clock[:2] + clock[5:] if has_hour else "")


def _components(parts: dict[int, str]) -> str:
    return "^".join(_escaped(parts.get(number, "")) for number in range(1, max(parts, default=0) + 1))


def _escaped(text: str) -> str:
    named = {"\\": "E", "|": "F", "^": "S", "~": "R", "&": "T"}
    return re.sub(r"[\\|^~&]", lambda match: f"\\{named[match[0]]}\\", text)


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\r" for line in lines).encode() + b"\n"
