"""Tells whether a FHIR file is about patients before it is kept, also when it is broken or cut."""

from __future__ import annotations

import re
from pathlib import Path

from caregrid.feeds.model import Source
from caregrid.mapping.readers.containers import every_content, read_bytes
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
_TOLD = re.compile(
    rb'"resourceType"\s*:\s*"([A-Za-z]{1,64})"'
    rb'|"type"\s*:\s*"(individual|subject-list|(?:[^"]{0,99}/)?Patient)"'  # of a report, of a reference
    rb'|"reference"\s*:\s*"(?:[^"]{0,99}/)?(Patient)/'
)
# The longest that the expression matches across two blocks, but for white space.
_OVERLAP = 512


def persons_in(source: Source, path: Path) -> str:
    """Return what in a FHIR file may be about patients: a type of resource or report; '' when nothing is.

    The text is searched, not parsed: what stands before a cut is found too.
    """
    try:
        for _, stream in every_content(source, path):
            held = b""
            while block := read_bytes(stream, _BLOCK):
                held += block
                for of_resource, of_element, of_reference in _TOLD.findall(held):
                    if of_element or of_reference or not _OF_NO_PATIENT.fullmatch(of_resource.decode()):
                        told: bytes = of_element or of_reference or of_resource
                        return told.decode("ascii", "replace").rpartition("/")[2]
                held = held[-_OVERLAP:]
    except UnreadableFile:
        return ""  # damaged from here on: the reader says how
    return ""
