"""Reads a JSON document as it passes by: one element of the records' array is held at a time.

The elements are decoded by the standard library; what is ours is the way to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

from caregrid.mapping.readers import json_values
from caregrid.mapping.types import UnreadableFile

# What is decoded at once: one record, or one value beside the way to them.
MOST_CHARACTERS = 64 * 2**20
_SPACE = re.compile(r"[ \t\n\r]*")
# A value that is cut is told at the cut, or as far before it as a word (-Infinity) or an escape reaches.
_CUT = 16
# A number that is cut in "1e+" or "0." reads as one that ended before the last characters.
_NUMBER_CUT = 3
_DEEPEST = 64
_SHOWN = 60


class MalformedError(ValueError):
    """The text is no JSON; the message says where."""


class Text:
    """Decoded text that arrives in blocks, and where in it the reading has come to."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = blocks
        self._text = next(blocks, "")
        self._at = 0
        self._line, self._before, self._passed = 1, 0, 0
        self._ended = False
        self.begin = self._text.lstrip()[: 2 * _SHOWN]
        self.has_one_line = "\n" not in self._text.strip()

    @property
    def passed(self) -> int:
        """Return how many characters were passed."""
        return self._passed + self._at

    def peek(self) -> str:
        """Return the next character that is no space, '' at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, expected: str) -> str:
        """Pass one of the expected characters; return it."""
        found = self.peek()
        if not found or found not in expected:
            wanted = " or ".join(f"'{character}'" for character in expected)
            raise self._malformed(f"Expecting {wanted}", self._at)
        self._at += 1
        return found

    def value(self) -> Any:
        """Decode and pass one whole value. Raises MalformedError, UnreadableFile: it is too long."""
        self.peek()
        while True:
            try:
                value, end = json_values.DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _CUT
                if is_cut and self._more():
                    continue
                raise self._malformed(error.msg, error.pos) from error
            except RecursionError as error:
                raise MalformedError("it is nested too deep") from error
            except json_values.KeyTwiceError as error:
                raise self._malformed(str(error), self._at) from error
            if end + _NUMBER_CUT > len(self._text) and self._more():
                continue
            try:
                json_values.refuse_halves(value, self._text[self._at : end])
            except UnicodeEncodeError as error:
                raise self._malformed(f"half of a character: {error.reason}", self._at) from error
            self._at = end
            return value

    def end(self) -> None:
        """Raise MalformedError where anything but space follows."""
        if self.peek():
            raise self._malformed("Extra data", self._at)

    def _more(self) -> bool:
        """Forget what was passed and take a block; return False at the end."""
        if self._ended:
            return False
        if len(self._text) - self._at > MOST_CHARACTERS:
            raise UnreadableFile(
                "not_this_format",
                f"line {self._line}: one value is longer than {MOST_CHARACTERS >> 20} million characters: "
                "set records: to the array that holds the records, or ask for NDJSON",
            )
        block = next(self._blocks, "")
        if not block:
            self._ended = True
            return False
        gone = self._text[: self._at]
        if newlines := gone.count("\n"):
            self._line += newlines
            self._before = len(gone) - gone.rindex("\n") - 1
        else:
            self._before += len(gone)
        self._passed += self._at
        self._text, self._at = self._text[self._at :] + block, 0
        return True

    def _malformed(self, message: str, at: int) -> MalformedError:
        above = self._text[:at]
        line = self._line + above.count("\n")
        column = at - above.rfind("\n") if "\n" in above else self._before + at + 1
        return MalformedError(f"{message}: line {line} column {column} (char {self._passed + at})")


def elements(text: Text, path: list[str], around: dict[str, Any]) -> Iterator[Any]:
    """Yield the elements of the array at a path, then read on to the document's end.

    Args:
        path: keys, and numbers of elements, from the document to the array.
        around: receives the plain values at the top of the document, also those behind the array.

    Raises:
        MalformedError: the text is no JSON.
        UnreadableFile: no_records.
    """
    problem = yield from _walk(text, path, [], around)
    text.end()
    if problem:
        raise UnreadableFile("no_records", f"{problem}; it begins {text.begin[:_SHOWN]!r}")


# What is yielded are elements; what is returned is why there is no array, '' where there was one.
_Way = Generator[Any, None, str]


def _walk(text: Text, path: list[str], way: list[str], around: dict[str, Any] | None) -> _Way:
    """Pass the value that comes next, of which `path` is still to go."""
    begin = text.peek()
    if not path and begin == "[":
        for _ in _places(text):
            yield text.value()
        return ""
    if path and begin == "{":
        return (yield from _through_object(text, path, way, around))
    if path and begin == "[" and path[0].isdigit():
        return (yield from _through_array(text, path, way))
    _pass(text)
    return _absent(path, way) if path else f"{'.'.join(way) or 'the document'!r} is no array"


def _absent(path: list[str], way: list[str]) -> str:
    return f"there is no {'.'.join([*way, *path])!r} in the document"


def _through_object(text: Text, path: list[str], way: list[str], around: dict[str, Any] | None) -> _Way:
    problem = _absent(path, way)
    for key in _keys(text):
        if key == path[0]:
            problem = yield from _walk(text, path[1:], [*way, key], None)
        elif around is None or text.peek() in ("[", "{"):
            _pass(text)
        else:
            around[key] = text.value()
    return problem


def _through_array(text: Text, path: list[str], way: list[str]) -> _Way:
    problem = _absent(path, way)
    for number, _ in enumerate(_places(text)):
        if number == int(path[0]):
            problem = yield from _walk(text, path[1:], [*way, path[0]], None)
        else:
            _pass(text)
    return problem


def _places(text: Text) -> Iterator[None]:
    """Yield before each element of an array; whoever takes that passes the element."""
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield
        if text.take(",]") == "]":
            return


def _keys(text: Text) -> Iterator[str]:
    """Yield the keys of an object; whoever takes them passes the value of each."""
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return
    seen: set[str] = set()
    while True:
        if text.peek() != '"':
            text.take('"')
        key = text.value()
        if key in seen:
            raise MalformedError(f"key {key!r} stands twice in one object")
        seen.add(key)
        text.take(":")
        yield key
        if text.take(",}") == "}":
            return


def _pass(text: Text, depth: int = 0) -> None:
    """Pass a value beside the way, element by element: it may be as large as the rest."""
    begin = text.peek()
    if depth > _DEEPEST or begin not in ("[", "{"):
        text.value()
        return
    for _ in _places(text) if begin == "[" else _keys(text):
        _pass(text, depth + 1)
