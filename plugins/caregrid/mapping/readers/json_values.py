"""One JSON value as every reader decodes it: digits as written, no key twice, no half of a character."""

from __future__ import annotations

import json
import re
from typing import Any

from caregrid.mapping.readers.content import repeated

# Escapes of surrogates: in pairs they make one character, alone none that can be written.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class KeyTwiceError(Exception):
    """An object has a key twice; no ValueError, which the decoder would take for its own."""


def refuse_halves(value: Any, written: str) -> None:
    """Raise UnicodeEncodeError, a ValueError, for a value that was written with half of a character."""
    if "\\u" in written and _HALF.search(written):
        json.dumps(value, ensure_ascii=False).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise KeyTwiceError(f"key {repeated(key for key, _ in pairs)[0]!r} stands twice in one object")
    return found


# Numbers keep the digits they were written with.
DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object)
