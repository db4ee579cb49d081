"""Tells whether a FHIR file is about patients before it is kept, also when it is broken or cut.

All of a file is looked through, whatever of it the feed reads: what is kept is kept whole. A file of which
that cannot be done may hold anything, and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from caregrid.feeds.model import Source
from caregrid.mapping.readers.containers import every_content, read_bytes, wrapping
from caregrid.mapping.readers.content import text_blocks
from caregrid.mapping.types import UnreadableFile

_BLOCK = 1 << 20
# What a file may hold and still be about no patient. Any other type may be, those of later versions too.
_OF_NO_PATIENT = re.compile(
    "Organization|Location|HealthcareService|MeasureReport|Endpoint|OrganizationAffiliation"
    "|Bundle|OperationOutcome|Parameters|Practitioner|PractitionerRole|InsurancePlan|Measure"
    "|Library|CodeSystem|ValueSet|ConceptMap|NamingSystem|TerminologyCapabilities"
    "|CapabilityStatement|ImplementationGuide|StructureDefinition|StructureMap|SearchParameter"
    "|OperationDefinition|CompartmentDefinition|GraphDefinition|MessageDefinition|Questionnaire"
    "|PlanDefinition|ActivityDefinition|EventDefinition"
)
# In text without white space and escapes, which JSON allows anywhere and in any number.
_TOLD = re.compile(
    r'"resourceType":"([A-Za-z]{1,64})"'
    r'|"type":"(individual|subject-list|(?:[^"]{0,999}/)?Patient)"'  # of a report, of a reference
    r'|"reference":"(?:[^"]{0,999}/)?(Patient)[/?]'
)
# More than the longest that the expression matches across two blocks, each character of it escaped.
_OVERLAP = 1 << 13
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")


def persons_in(source: Source, path: Path) -> str:
    """Return what in a FHIR file may be about patients: a type of resource or report; '' when nothing is.

    The text is searched, not parsed: what stands before a cut is found too.

    Raises:
        UnreadableFile: not all of it can be looked through. The reason quotes nothing of the file.
    """
    try:
        for name, stream in every_content(source, path, whole=True):
            if found := _told_in(_json_text(stream, source.format.encoding, bool(name))):
                return found
        with wrapping(path) as stream_around:
            return _told_in(_bytes_as_text(stream_around)) if stream_around is not None else ""
    except _Closed:
        raise
    except UnreadableFile as problem:
        raise _Closed(_why_closed(problem)) from problem


class _Closed(UnreadableFile):
    """A file that cannot be looked through; what the libraries say of it may quote names, this does not."""

    def __init__(self, reason: str) -> None:
        super().__init__("not_this_format", reason)


def _why_closed(problem: UnreadableFile) -> str:
    # zipfile tells encryption by this alone
    if type(problem.__cause__) is RuntimeError and "encrypted" in str(problem.__cause__):
        return "it is encrypted"
    return "its packing is damaged, cut, or of a kind that is not read"


def _json_text(stream: BinaryIO, encoding: str, is_member: bool) -> Iterator[str]:
    """Yield the decoded text of one file, which begins as JSON does."""
    what = "a file in the archive" if is_member else "it"
    begun = False
    try:
        for text in text_blocks(stream, encoding):
            if not begun and (start := text.lstrip()):
                begun = True
                if start[0] not in "{[":
                    raise _Closed(f"{what} is no JSON")
            yield text
    except _Closed:
        raise
    except UnreadableFile as problem:
        if problem.code == "empty":
            return
        if problem.code == "html":
            raise _Closed(f"{what} is a web page or XML, no JSON") from problem
        if problem.code in ("undecodable", "control_characters"):
            raise _Closed(f"{what} is no text in {encoding}") from problem
        if problem.__cause__ is None:  # told by how it begins, in our own words
            raise _Closed(problem.reason.replace("the file", what, 1)) from problem
        raise


def _bytes_as_text(stream: BinaryIO) -> Iterator[str]:
    while block := read_bytes(stream, _BLOCK):
        yield block.decode("latin-1").replace("\0", "")


def _told_in(texts: Iterable[str]) -> str:
    held = ""
    for text in texts:
        held += "".join(text.split())
        plain = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), held).replace("\\", "")
        for of_resource, of_element, of_reference in _TOLD.findall(plain):
            if of_element or of_reference or not _OF_NO_PATIENT.fullmatch(of_resource):
                told: str = of_element or of_reference or of_resource
                return told.rpartition("/")[2]
        held = held[-_OVERLAP:]
    return ""
