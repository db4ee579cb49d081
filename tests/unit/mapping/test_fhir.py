"""FHIR: bundles, newline-delimited resources, archives; references; long rows; nothing about a patient."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from caregrid.feeds.model import Format, Source
from caregrid.mapping import RecordBatch, UnreadableFile, members, read
from caregrid.mapping.readers import content as content_
from caregrid.mapping.readers import fhir
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit
FOLLOWED = ("subject", "subject.managingOrganization", "managingOrganization", "providedBy")
CODES = "http://example.org/codes"
SITES = "http://example.org/sites"
PRIVATE = "Zacharias-Quimby"


def source(kind: str = "fhir", member: str | None = None) -> Source:
    form = Format(kind, resolve=FOLLOWED)
    return Source("feed", "source", None, None, member, form, ("",), (), (), {}, {}, False)


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(content: Any) -> Path:
        path = tmp_path / "landed"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def batches(
    path: Path, kind: str = "fhir", batch_rows: int = 50_000, member: str | None = None
) -> list[RecordBatch]:
    return list(read(source(kind, member), path, batch_rows=batch_rows))


def records(found: list[RecordBatch]) -> list[dict[str, Any]]:
    """Return the records with their line, without the elements they have not."""
    return [
        {"line": line} | {name: text for name, text in row.items() if text is not None}
        for batch in found
        for line, row in zip(batch.lines.to_list(), batch.frame.rows(named=True), strict=True)
    ]


def rejects(found: list[RecordBatch]) -> list[tuple[int, str]]:
    return [(reject.line, reject.reasons[0]["code"]) for batch in found for reject in batch.rejects]


def refusal(path: Path, kind: str = "fhir", member: str | None = None) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as error:
        batches(path, kind, member=member)
    return error.value


def coded(code: str, system: str = CODES) -> dict[str, Any]:
    return {"coding": [{"system": "http://other.org", "code": "other"}, {"system": system, "code": code}]}


def organization(number: str = "1", **more: Any) -> dict[str, Any]:
    identifier = [{"value": "none"}, {"system": SITES, "value": f"S{number}"}]
    return {
        "resourceType": "Organization",
        "id": number,
        "name": f"Hospital {number}",
        "identifier": identifier,
        **more,
    }


def location(number: str = "1", **more: Any) -> dict[str, Any]:
    managed = {"managingOrganization": {"reference": f"Organization/{number}"}}
    return {"resourceType": "Location", "id": f"L{number}", "name": f"Building {number}", **managed, **more}


def report(*groups: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MeasureReport",
        "id": "r",
        "status": "complete",
        "type": "summary",
        "measure": "http://example.org/Measure/beds",
        "subject": {"reference": "Location/L1"},
        "period": {"start": "2020-05-11", "end": "2020-05-11"},
        "group": list(groups),
        **more,
    }


def population(code: str, count: int | None = None) -> dict[str, Any]:
    return {"code": coded(code)} | ({} if count is None else {"count": count})


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": one} for one in resources],
        **more,
    }


def tar(files: dict[str, Any]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def test_populations_scores_and_strata_become_records_of_their_own(put: Any) -> None:
    stratum = {
        "value": {"text": "80+"},
        "component": [{"code": {"text": "age"}, "value": {"text": "80+"}}],
        "population": [population("a", 3)],
        "measureScore": {"value": 0.5, "unit": "1"},
    }
    group = {
        "code": coded("Beds"),
        "population": [population("a", 7), population("b")],
        "measureScore": {"value": 12.50},
        "stratifier": [{"code": [{"text": "by age"}], "stratum": [stratum]}],
    }
    found = records(batches(put(report(group))))
    assert [(row["line"], row["row"]) for row in found] == [
        (1, "population"),
        (2, "population"),
        (3, "score"),
        (4, "stratum_population"),
        (5, "stratum_score"),
    ]
    assert {row[f"group.code.coding[{CODES}]"] for row in found} == {"Beds"}
    assert [row.get(f"group.population.code.coding[{CODES}]") for row in found[:2]] == ["a", "b"]
    assert [row.get("group.population.count") for row in found] == ["7", None, None, None, None]
    assert found[2]["group.measureScore.value"] == "12.5"
    at = "group.stratifier.stratum"
    assert (found[3][f"{at}.population.count"], found[3][f"{at}.value.text"]) == ("3", "80+")
    assert (found[4][f"{at}.measureScore.value"], found[4]["group.stratifier.code.0.text"]) == (
        "0.5",
        "by age",
    )
    assert {row["period.start"] for row in found} == {"2020-05-11"}


def test_numbers_keep_the_digits_they_were_written_with(put: Any) -> None:
    text = json.dumps(report({"measureScore": {"value": "N"}})).replace('"N"', "1.10e2")
    (row,) = records(batches(put(text.encode())))
    assert row["group.measureScore.value"] == "1.10e2"


def test_a_report_without_a_figure_is_one_record_and_not_none(put: Any) -> None:
    assert [row["row"] for row in records(batches(put(report())))] == ["report"]
    assert [row["row"] for row in records(batches(put(report({"code": coded("Beds")}))))] == ["report"]


@pytest.mark.parametrize(
    ("subject", "contained"),
    [
        ({"reference": "Location/L1"}, []),
        ({"reference": "Location/L1/_history/3"}, []),
        ({"reference": "https://a.example/fhir/Location/L1"}, []),
        ({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, []),
        ({"reference": "#here"}, [location(id="here")]),
        ({"type": "Location", "identifier": {"system": SITES, "value": "B1"}}, []),
    ],
    ids=["relative", "version", "address", "uuid", "contained", "identifier"],
)
def test_a_reference_of_every_kind_leads_to_the_place(put: Any, subject: Any, contained: list[Any]) -> None:
    place = location(identifier=[{"system": SITES, "value": "B1"}])
    whole = bundle(
        report({"population": [population("a", 1)]}, subject=subject, contained=contained), organization()
    )
    address = {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": place}
    whole["entry"].append(address)
    row = records(batches(put(whole)))[0]
    assert row["subject.resolved.name"] == "Building 1"
    assert row["subject.managingOrganization.resolved.name"] == "Hospital 1"
    assert row[f"subject.managingOrganization.resolved.identifier[{SITES}]"] == "S1"


def test_a_reference_to_what_is_not_there_or_is_there_twice_leads_nowhere(put: Any) -> None:
    figures = {"population": [population("a", 1)]}
    alone = records(batches(put(bundle(report(figures)))))
    twice = records(batches(put(bundle(report(figures), location(), location(name="Other")))))
    same = records(batches(put(bundle(report(figures), location(), location()))))
    assert "subject.resolved.name" not in alone[0]
    assert "subject.resolved.name" not in twice[0]
    assert same[0]["subject.resolved.name"] == "Building 1"


def test_references_that_go_round_end(put: Any) -> None:
    first, second = location("1", managingOrganization={"reference": "Location/L2"}), location("2")
    second["managingOrganization"] = {"reference": "Location/L1"}
    found = records(batches(put(bundle(first, second))))
    assert [row["managingOrganization.resolved.name"] for row in found] == ["Building 2", "Building 1"]


def test_lists_are_read_by_system_and_extensions_by_address(put: Any) -> None:
    geolocation = "http://hl7.org/fhir/StructureDefinition/geolocation"
    inner = [{"url": "latitude", "valueDecimal": 41.5}, {"url": "longitude", "valueDecimal": -87.6}]
    concept = {"url": "http://example.org/kind", "valueCodeableConcept": coded("K")}
    place = location(
        telecom=[{"system": "phone", "value": "1"}, {"system": "phone", "value": "2"}],
        address={"line": ["Street 1"], "extension": [{"url": geolocation, "extension": inner}]},
        extension=[concept],
    )
    (row,) = records(batches(put(place)))
    assert row["telecom[phone]"] == "1"
    assert row[f"address.extension[{geolocation}].extension[latitude]"] == "41.5"
    assert row["extension[http://example.org/kind].coding.1.code"] == "K"
    assert row["address.line.0"] == "Street 1"


def test_narrative_and_people_to_ask_do_not_leave_the_reader(put: Any) -> None:
    told = {"text": {"div": PRIVATE}, "contact": [{"name": {"family": PRIVATE}}]}
    assert PRIVATE not in str(records(batches(put(organization(**told)))))


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Patient", "id": PRIVATE, "name": [{"family": PRIVATE}]},
        {"resourceType": "Encounter", "subject": {"display": PRIVATE}},
        {"resourceType": "Practitioner", "name": [{"family": PRIVATE}]},
    ],
    ids=lambda resource: resource["resourceType"],
)
def test_of_any_other_resource_only_the_type_leaves_the_reader(put: Any, resource: Any) -> None:
    found = batches(put(bundle(organization(), resource)))
    assert records(found)[1] == {"line": 2, "resourceType": resource["resourceType"], "row": "not_read"}
    assert PRIVATE not in str(found)


@pytest.mark.parametrize(
    "told",
    [
        {"type": "individual"},
        {"type": "subject-list"},
        {"subject": {"reference": "Patient/1", "display": PRIVATE}},
        {"subject": {"reference": "https://a.example/Patient/1/_history/2", "display": PRIVATE}},
        {"subject": {"reference": "urn:uuid:1", "display": PRIVATE}},
        {
            "subject": {"reference": "#p", "display": PRIVATE},
            "contained": [{"resourceType": "Patient", "id": "p"}],
        },
        {"subject": {"type": "http://hl7.org/fhir/StructureDefinition/Patient", "display": PRIVATE}},
        {"subject": {"display": PRIVATE}},
    ],
)
def test_a_report_about_persons_is_refused_without_a_word_of_it(put: Any, told: Any) -> None:
    found = batches(put(bundle(organization(), report({"population": [population("a", 1)]}, **told))))
    assert rejects(found) == [(2, "patient_data")]
    assert [row["resourceType"] for row in records(found)] == ["Organization"]
    assert PRIVATE not in str(found)


def test_references_to_patients_in_a_summary_do_not_leave_the_reader(put: Any) -> None:
    counted = {**population("a", 1), "subjectResults": {"reference": f"List/{PRIVATE}"}}
    told = {"evaluatedResource": [{"reference": f"Encounter/{PRIVATE}"}]}
    found = batches(put(report({"population": [counted]}, **told)))
    assert records(found)[0]["group.population.count"] == "1"
    assert PRIVATE not in str(found)


def test_bad_entries_are_rejected_one_by_one_with_their_ordinal(put: Any) -> None:
    refused = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "throttled"}]}
    whole = bundle(organization(), {"name": "no type"}, bundle(location()), refused)
    whole["entry"] += [{"request": {"method": "DELETE", "url": "Location/1"}}, "text"]
    found = batches(put(whole))
    assert [(row["line"], row["resourceType"]) for row in records(found)] == [
        (1, "Organization"),
        (3, "Location"),
    ]
    assert rejects(found) == [(2, "no_resource"), (4, "server_error"), (5, "no_resource"), (6, "no_resource")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"<html><body>busy</body></html>", "html"),
        (b"service unavailable", "error_text"),
        (b'{"resourceType": "Bundle", "entry": [', "not_this_format"),
        (b'{"entry": []}', "not_this_format"),
        (b"[]", "not_this_format"),
        (b'{"resourceType": "Bundle", "entry": {}}', "no_records"),
        (
            b'{"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": "login"}]}',
            "error_text",
        ),
        (b'{"resourceType": "Bundle", "entry": [{}, {}]}', "not_this_format"),
        (b'{"resourceType": "Organization", "name": "a", "name": "b"}', "not_this_format"),
        (b'{"resourceType": "Organization", "name": "M\xfcnster"}', "undecodable"),
        (b'{"resourceType": "Organization", "name": "\x00"}', "control_characters"),
        (b"[" * 100_000, "not_this_format"),
        (gzip.compress(b'{"resourceType": "Bundle"}', mtime=0)[:-9], "not_this_format"),
        (b'{"resourceType":"Organization"}\n{"resourceType":"Organization"}', "not_this_format"),
    ],
)
def test_what_is_no_fhir_is_one_rejected_file(put: Any, content: bytes, code: str) -> None:
    assert refusal(put(content)).code == code


def test_newline_delimited_resources_are_taken_for_what_they_are(put: Any) -> None:
    two = b'{"resourceType":"Organization"}\n{"resourceType":"Organization"}'
    assert "fhir_ndjson" in refusal(put(two)).reason
    assert len(records(batches(put(two), "fhir_ndjson"))) == 2


LONG = [
    organization(),
    location(),
    report({"population": [population("a", 1.50)]}),
    bundle(organization("2")),
    {},
]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(bundle(*LONG)),
        json.dumps(bundle(*LONG, meta={"entry": [1], "a": [{}]}), indent=1),
        json.dumps(dict(reversed(bundle(*LONG).items()))),  # what it is comes last: it is held whole
        json.dumps(organization()),
    ],
)
def test_a_long_bundle_is_read_as_a_short_one(
    put: Any, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(content.encode())
    whole = batches(path)
    monkeypatch.setattr(fhir, "_HELD", 10)
    monkeypatch.setattr(content_, "BLOCK_BYTES", 64)
    monkeypatch.setattr(content_, "BATCH_CHARACTERS", 1)
    cut = batches(path)
    assert records(cut) == records(whole)
    assert rejects(cut) == rejects(whole)
    assert len(records(cut)) < 2 or len(cut) > 1


@pytest.mark.parametrize("end", [b"", b"]", b"]}}", b'], "entry": []}', b"], 7: 8}"])
def test_a_long_bundle_that_is_no_whole_json_is_one_rejected_file(
    put: Any, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(json.dumps(bundle(*LONG)).encode()[:-2] + end)
    assert refusal(path).code == "not_this_format"
    monkeypatch.setattr(fhir, "_HELD", 10)
    monkeypatch.setattr(content_, "BLOCK_BYTES", 64)
    assert refusal(path).code == "not_this_format"


def test_a_bundle_without_entries_holds_no_record(put: Any) -> None:
    (batch,) = batches(put(bundle()))
    assert (batch.frame.height, batch.rejects) == (0, [])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_newline_delimited_resources_refer_to_each_other_and_a_cut_line_is_one_reject(
    put: Any, pack: Any
) -> None:
    lines = [
        json.dumps(one) for one in (report({"population": [population("a", 1)]}), location(), organization())
    ]
    content = "\n".join([lines[0], "", lines[1], lines[2][:-5], lines[2]]) + "\n"
    found = batches(put(pack(content.encode())), "fhir_ndjson", batch_rows=1)
    assert [row["line"] for row in records(found)] == [1, 2, 4]
    assert rejects(found) == [(3, "malformed_json")]
    assert records(found)[0]["subject.managingOrganization.resolved.name"] == "Hospital 1"


def test_an_archive_is_one_collection(put: Any) -> None:
    files = {
        "a/report.json": report({"population": [population("a", 1)]}),
        "a/l.json": location(),
        "a/o.json": organization(),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, resource in files.items():
            archive.writestr(name, json.dumps(resource))
    for content in (tar(files), gzip.decompress(tar(files)), packed.getvalue()):
        path = put(content)
        assert members(source(), path) == []
        found = [row for row in records(batches(path)) if row["resourceType"] == "MeasureReport"]
        assert [row["subject.managingOrganization.resolved.name"] for row in found] == ["Hospital 1"]


def test_a_broken_member_is_one_reject_and_its_name_is_told(put: Any) -> None:
    found = batches(put(tar({"good.json": organization(), "bad.json": b"{", "also.json": organization("2")})))
    assert rejects(found) == [(2, "malformed_json")]
    assert "bad.json" in found[0].rejects[0].reasons[0]["message"]
    assert [row["name"] for row in records(found)] == ["Hospital 1", "Hospital 2"]


def test_an_archive_without_the_member_or_cut_short_is_refused(put: Any) -> None:
    packed = tar({f"{number}.json": organization(str(number), name="x" * 4000) for number in range(60)})
    assert refusal(put(packed), member="*.xml").code == "no_member"
    assert refusal(put(packed[:-200])).code == "not_this_format"
    assert refusal(put(gzip.decompress(packed)[:30_000])).code == "not_this_format"


def test_an_archive_that_unpacks_without_end_is_refused(put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caregrid.mapping.readers.containers._BOMB_BYTES", 1 << 20)
    monkeypatch.setattr("caregrid.mapping.readers.containers._BOMB_RATIO", 20)
    assert "unpacks" in refusal(put(tar({"a.json": b" " * (4 << 20)}))).reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["reference", "system", "url", "value", "coding", "count", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ELEMENTS = [
    "id",
    "name",
    "identifier",
    "subject",
    "managingOrganization",
    "group",
    "contained",
    "type",
    "period",
    "extension",
]


@given(
    resources=st.lists(
        st.builds(
            lambda kind, body: {**body, "resourceType": kind},
            st.sampled_from(
                ["Organization", "Location", "HealthcareService", "MeasureReport", "Patient", "Bundle"]
            ),
            st.dictionaries(st.sampled_from(ELEMENTS), JSON, max_size=5),
        ),
        max_size=5,
    ),
    batch_rows=st.integers(1, 4),
)
def test_any_shape_of_resource_is_records_and_rejects_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, resources: list[Any], batch_rows: int
) -> None:
    path = tmp_path_factory.mktemp("fhir") / "landed"
    path.write_text(json.dumps(bundle(*resources)))
    try:
        whole, cut = batches(path), batches(path, batch_rows=batch_rows)
    except UnreadableFile:
        return
    assert records(whole) == records(cut)
    assert rejects(whole) == rejects(cut)
    lines = [line for batch in cut for line in batch.received_lines.to_list()]
    assert sorted(lines) == list(range(1, len(lines) + 1))
    assert len(lines) >= len([one for one in resources if one["resourceType"] != "Bundle"])
