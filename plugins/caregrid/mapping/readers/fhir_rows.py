"""One FHIR resource as flat records: which are read at all, slices, references, long rows of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from caregrid.mapping.readers.structured import flatten

Resource = dict[str, Any]
Row = dict[str, str | None]
# From the element that refers, and the resource it stands in, to the resource meant; None when it is absent.
Resolve = Callable[[Any, Resource], Resource | None]

PLACES = ("Organization", "Location", "HealthcareService")
# Of any other resource nothing but its type leaves the reader: it may be about a patient.
READ = (*PLACES, "MeasureReport")
# What a report may be about. A report about a Patient, a Practitioner or a Group names persons.
_SUBJECTS = PLACES
# Elements that a mapping can rely on: a file in which none has a value is no file of another kind.
_ALWAYS = ("resourceType", "id", "row")
_OF_REPORTS = (
    "status",
    "type",
    "measure",
    "date",
    "period.start",
    "period.end",
    "subject.reference",
    "group.population.count",
)
# The narrative repeats the data as HTML; the rest refers to patients or to what stood behind the figures.
_NEVER = {"text", "contained", "subjectResults", "evaluatedResource", "contact", "qualification"}


class PatientData(Exception):  # noqa: N818 - a reason to refuse a record, not a programming error
    """A report that is about persons; the message names none."""


def base_columns(types: set[str]) -> list[str]:
    """Return the columns that a file with resources of these types has whatever its resources leave out."""
    return [*_ALWAYS, *(_OF_REPORTS if "MeasureReport" in types else ())]


def rows_of(resource: Resource, resolve: Resolve, paths: tuple[str, ...]) -> Iterator[Row]:
    """Yield the records of one resource: one, or of a MeasureReport one for each figure it holds.

    Args:
        resource: parsed; numbers are the text they were written with.
        resolve: finds what a reference means.
        paths: references to follow, as the feed lists them, for example subject.managingOrganization.

    Raises:
        PatientData: the resource is a report about persons.
    """
    kind = resource.get("resourceType")
    if kind not in READ:
        yield {"resourceType": str(kind), "row": "not_read"}
        return
    if kind == "MeasureReport":
        _refuse_persons(resource, resolve)
    head = _flat({key: item for key, item in resource.items() if key not in _NEVER and key != "group"})
    for path in paths:
        head.update(_followed(resource, path, resolve))
    if kind != "MeasureReport":
        yield {**head, "row": "resource"}
        return
    figures = False
    for group in _objects(resource.get("group")):
        for row in _figures(group):
            figures = True
            yield {**head, **row}
    if not figures:
        yield {**head, "row": "report"}


def _figures(group: Resource) -> Iterator[Row]:
    """Yield the counts and scores of one group, then those of its strata."""
    around = _below("group", group, ("population", "stratifier", "measureScore"))
    for population in _objects(group.get("population")):
        yield {**around, **_below("group.population", population), "row": "population"}
    if "measureScore" in group:
        yield {**around, **_below("group.measureScore", group["measureScore"]), "row": "score"}
    for stratifier in _objects(group.get("stratifier")):
        of_stratifier = {**around, **_below("group.stratifier", stratifier, ("stratum",))}
        for stratum in _objects(stratifier.get("stratum")):
            at = "group.stratifier.stratum"
            of_stratum = {**of_stratifier, **_below(at, stratum, ("population", "measureScore"))}
            for population in _objects(stratum.get("population")):
                yield {**of_stratum, **_below(f"{at}.population", population), "row": "stratum_population"}
            if "measureScore" in stratum:
                score = _below(f"{at}.measureScore", stratum["measureScore"])
                yield {**of_stratum, **score, "row": "stratum_score"}


def _below(prefix: str, element: Any, apart: tuple[str, ...] = ()) -> Row:
    if not isinstance(element, dict):
        return {}
    return _flat(
        {key: item for key, item in element.items() if key not in apart and key not in _NEVER}, prefix
    )


def _objects(elements: Any) -> list[Resource]:
    return [item for item in elements if isinstance(item, dict)] if isinstance(elements, list) else []


def _flat(element: Resource, prefix: str = "") -> Row:
    """Flatten an element, and add the slices of its arrays to the columns by position.

    FHIR gives the entries of a list no order to trust. What a list keeps apart by a system (identifier,
    coding, telecom) or an url (extension) can be read by it: `identifier[SYSTEM]`, `code.coding[SYSTEM]`,
    `telecom[phone]`, `address.0.extension[URL].extension[latitude]`. The first of several counts.
    """
    flat = flatten(element, prefix)
    for name, text in _slices(element, prefix):
        flat.setdefault(name, text)
    return flat


def _slices(value: Any, path: str) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _slices(item, f"{path}.{key}" if path else key)
    if not isinstance(value, list):
        return
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            continue
        key = item.get("system") or item.get("url")
        if not isinstance(key, str) or not key:
            yield from _slices(item, f"{path}.{index}")
            continue
        here = f"{path}[{key}]"
        yield from _slices(item, here)
        for name, inner in item.items():
            if name in ("value", "code") or name.startswith("value"):
                if isinstance(inner, dict):
                    yield from ((f"{here}{rest}", text) for rest, text in _rest(inner))
                elif not isinstance(inner, list):
                    yield here, None if inner is None else str(inner)


def _rest(element: Resource) -> Iterator[tuple[str, str | None]]:
    for name, text in flatten(element).items():
        yield f".{name}", text


def _followed(resource: Resource, path: str, resolve: Resolve) -> Row:
    """Return the elements of what a reference leads to, below `<path>.resolved`; none if it leads nowhere."""
    at: Resource | None = resource
    for part in path.split("."):
        if at is None:
            return {}
        element = at.get(part)
        if isinstance(element, list):
            element = element[0] if element else None
        at = resolve(element, at)
    if at is None or at.get("resourceType") not in PLACES:
        return {}
    return _flat({key: item for key, item in at.items() if key not in _NEVER}, f"{path}.resolved")


def _refuse_persons(report: Resource, resolve: Resolve) -> None:
    if report.get("type") in ("individual", "subject-list"):
        raise PatientData(f"the report is of type {report['type']}: it lists persons")
    subject = report.get("subject")
    if subject is None:
        return
    found = resolve(subject, report)
    kind = str(found.get("resourceType")) if found else kind_of(subject)
    if kind not in _SUBJECTS:
        raise PatientData(f"the report is about {kind or 'something unknown'}, not about a place")


def kind_of(reference: Any) -> str:
    """Return the type of resource that a reference says it leads to; '' when it does not say."""
    if not isinstance(reference, dict):
        return ""
    told = str(reference.get("type") or "").rpartition("/")[2]
    parts = str(reference.get("reference") or "").split("/_history/")[0].split("/")
    return (parts[-2] if len(parts) > 1 else "") or told
