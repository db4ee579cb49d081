"""A YAML file as plain data that remembers its lines, so that a mistake can be pointed at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")


# A feed has some hundred keys; aliases of aliases can make billions out of a few lines.
_MOST_NODES = 100_000
_DEEPEST = 50
_HINTS = (
    ("'\\t'", "indent with spaces: YAML allows no tabs"),
    ("cannot start any token", "put the value in quotes: text that begins with % @ ` needs them"),
    ("mapping values are not allowed", "put text that holds ': ' in quotes, and line keys up exactly"),
    ("undefined alias", "put text that begins with * in quotes"),
    ("block end", "line the keys of one level up exactly"),
    ("another document", "one file is one feed: drop the line ---, or make two files"),
    ("while scanning a quoted scalar", "close the quote"),
)


class BrokenYaml(Exception):  # noqa: N818 - it names what is broken
    """Text that is no YAML mapping; line is 1-based, field the key at fault where one is."""

    def __init__(self, message: str, line: int, fix: str = "", field: Path = ()) -> None:
        self.message = message
        self.line = line
        self.fix = fix or next((hint for sign, hint in _HINTS if sign in message), "correct the YAML")
        self.field = field
        super().__init__(message)


@dataclass(frozen=True)
class Document:
    """The data of one YAML file, and the line of every key and item.

    Keys of mappings are always text, exactly as written (`01`, `NO`, `NA`), dates stay text, and a number
    with a leading zero stays text: the codes of health care are not numbers.
    """

    data: dict[str, Any]
    lines: dict[Path, int]

    def line_of(self, path: Path) -> int:
        """Return the 1-based line of a path, or of its nearest ancestor."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def decode_document(content: bytes) -> str:
    """Return the text of a YAML file. Raises BrokenYaml: it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BrokenYaml(f"the file is not UTF-8: {error.reason}", line, "save it as UTF-8") from error


def read_document(text: str) -> Document:
    """Parse YAML 1.2 text. Raises BrokenYaml."""
    try:
        root = YAML(typ="safe", pure=True).compose(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BrokenYaml(str(error.problem or error.context), mark.line + 1 if mark else 1) from error
    except YAMLError as error:
        raise BrokenYaml(str(error).splitlines()[0], 1) from error
    except RecursionError as error:
        raise BrokenYaml("brackets are nested too deep", 1) from error
    if root is None:
        raise BrokenYaml("the file is empty", 1, "copy the example of docs/feeds.md")
    if not isinstance(root, MappingNode):
        raise BrokenYaml("the file must be a mapping of keys to values", 1, "begin with feed: …")
    lines: dict[Path, int] = {}
    data = _construct(root, (), lines)
    return Document(data, lines)


def _construct(node: Node, path: Path, lines: dict[Path, int]) -> Any:
    if len(path) > _DEEPEST or len(lines) > _MOST_NODES:
        line = node.start_mark.line + 1
        raise BrokenYaml("aliases or brackets are nested without end", line, "write the value out")
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        mapping: dict[str, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise BrokenYaml("a key must be plain text", key_node.start_mark.line + 1)
            key = str(key_node.value)
            if key == "<<" and key_node.style is None:
                merged.append(value_node)
                continue
            if key in mapping:
                raise BrokenYaml(
                    f"key {key!r} stands twice",
                    key_node.start_mark.line + 1,
                    "keep one of them",
                    (*path, key),
                )
            lines[(*path, key)] = key_node.start_mark.line + 1
            mapping[key] = _construct(value_node, (*path, key), lines)
        for part_node in (
            part for other in merged for part in (other.value if isinstance(other, SequenceNode) else [other])
        ):
            for key, value in _construct(part_node, path, lines).items():
                mapping.setdefault(key, value)
        return mapping
    if isinstance(node, SequenceNode):
        return [_construct(item, (*path, index), lines) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    return _scalar(node)


def _scalar(node: ScalarNode) -> Any:
    text = str(node.value)
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
