"""The paths of XML feeds: which elements are records can be told while the document passes by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_NAME = r"(?:\*|[\w.-]+(?::(?:[\w.-]+|\*))?)"
_PATH = re.compile(rf"((?://?{_NAME})+)((?:\[.*\])?)", re.DOTALL)
_STEP = re.compile(rf"(//?)({_NAME})")
_POSITION = re.compile(r"\[\s*\d+\s*\]|\b(?:position|last)\s*\(")
_AXIS = re.compile(r"\b(?:preceding|following)(?:-sibling)?\s*::")
_OUTWARD = re.compile(r"\.\.|^\s*/|\b(?:ancestor|parent|ancestor-or-self)\s*::")
_BETWEEN = "\n"  # between the names of elements: no name and no namespace holds it


@dataclass(frozen=True)
class RecordPath:
    """A path such as /report/h:bed or //bed[@kind='icu']: steps of names, a condition on the last."""

    steps: tuple[tuple[str, str], ...]  # ("/" or "//", name)
    condition: str

    def matcher(self, namespaces: Mapping[str, str]) -> Callable[[list[str]], bool]:
        """Return a function over the names, {namespace}name, of an element and all above it from the root."""
        pattern = ""
        for kind, name in self.steps:
            pattern += f"(?:{_BETWEEN}[^{_BETWEEN}]*)*{_BETWEEN}" if kind == "//" else _BETWEEN
            prefix, _, local = name.rpartition(":")
            space = re.escape(f"{{{namespaces[prefix]}}}") if prefix else ""
            pattern += space + (rf"[^{_BETWEEN}]*" if local == "*" else re.escape(local))
        compiled = re.compile(pattern)
        return lambda names: compiled.fullmatch(_BETWEEN + _BETWEEN.join(names)) is not None


def split_path(text: str) -> RecordPath:
    """Return a path of records taken apart. Raises ValueError when it is none, or counts elements."""
    match = _PATH.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "it is no path of names from / or //, such as /report/bed or //bed[@kind='icu'], conditions last"
        )
    if _POSITION.search(match[2]):
        raise ValueError("it counts elements, of which those before have been forgotten")
    if _AXIS.search(match[2]):
        raise ValueError(
            "it looks at elements before or behind, which have been forgotten or are not read yet"
        )
    return RecordPath(tuple((step[1], step[2]) for step in _STEP.finditer(match[1])), match[2])


def looks_outside(xpath: str) -> bool:
    """Say whether an XPath from a record leads to the elements around it."""
    return _OUTWARD.search(xpath) is not None


def fault_of_field(xpath: str) -> str:
    """Return why the XPath of a field cannot be followed while the document passes by, '' when it can."""
    if xpath.strip().startswith("//"):
        return "it searches the whole document, of which one record is held: begin with .// for the record"
    if _AXIS.search(xpath):
        return "it looks at elements before or behind, which have been forgotten or are not read yet"
    return ""


def prefixes(xpath: str) -> set[str]:
    """Return the prefixes of namespaces that an XPath names, outside of its quoted texts."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", xpath)
    return set(re.findall(r"([\w.-]+):(?!:)(?=[\w*])", re.sub(r"[\w-]+::", "", bare)))
