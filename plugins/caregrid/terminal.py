"""What the commands write to a terminal: data can show there, but never steer it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOBase
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

_SAFE = "\n\t"
# Each becomes one character that shows: ESC is ␛. The others are the C1 controls, what turns the direction of
# writing (a name could pass for another), separators of lines, and lone halves of characters.
_SHOWN: dict[int, str] = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _SAFE}
_SHOWN |= {0x7F: "␡"}
_SHOWN |= dict.fromkeys(
    (*range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "�"
)
_SHOWN |= dict.fromkeys(range(0xD800, 0xE000), "�")
_NO_EDGE = 1000
_NEW_LINE = "\r\033[K"


def visible(text: str) -> str:
    """Return the text with every character that a terminal would obey in place of showing it made visible."""
    return text.translate(_SHOWN)


def as_json(value: Any) -> str:
    """Return the value as JSON to read and to pass on: what would steer a terminal is written as \\uXXXX."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return text.translate({code: f"\\u{code:04x}" for code in _SHOWN})


class _Guarded(TextIOBase):
    """A stream on which nothing but lines and tabs steers the terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(visible(text))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors

    @property
    def buffer(self) -> Any:
        return self.stream.buffer


@contextmanager
def guarded() -> Iterator[None]:
    """Make visible what is printed inside, on both streams, whoever prints it."""
    with (
        redirect_stdout(cast(TextIO, _Guarded(_plain(sys.stdout)))),
        redirect_stderr(cast(TextIO, _Guarded(_plain(sys.stderr)))),
    ):
        yield


def _plain(stream: Any) -> TextIO:
    """Return the stream behind the guard, which our own colours and cursor movements go to."""
    return stream.stream if isinstance(stream, _Guarded) else stream


def console() -> Console:
    """Return a console for tables: colours are ours and stay, words may be anybody's and are guarded."""
    from rich.console import Console
    from rich.text import Text

    class Guarded(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            """Guard every text before its width is measured."""
            return super().render_str(visible(text), **options)

    stream = _plain(sys.stdout)
    # A file or a pipe has no edge to break lines at; COLUMNS gives it one.
    width = None if stream.isatty() or "COLUMNS" in os.environ else _NO_EDGE
    return Guarded(file=stream, width=width)


def begin_line(text: str = "") -> None:
    """Write the text in place of the line that the cursor stands on, and stay there."""
    stream = _plain(sys.stdout)
    stream.write(_NEW_LINE + visible(text))
    stream.flush()
