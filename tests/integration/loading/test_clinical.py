"""FHIR and HL7 v2 from the mirror, loaded; nothing about a patient is on disk or in the warehouse."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from caregrid import loading, paths
from caregrid.loading.ingest import IngestFailedError

pytestmark = pytest.mark.integration
ADMISSIONS, HOSPITALS = "uk_simhospital_admissions", "us_saner_hospitals"


def published(name: str) -> Path:
    path = paths.feeds_base() / name
    if not path.is_file():
        pytest.skip(f"the mirror of open data is not here ({path})")
    return path


@pytest.fixture
def messages() -> list[dict[bytes, list[bytes]]]:
    """The messages split by hand: segments by name, of fields."""
    text = gzip.decompress(published("hl7v2_simhospital/messages.out.gz").read_bytes())
    found = [one.strip().split(b"\r") for one in text.split(b"\n\n") if one.strip()]
    return [{fields[0]: fields for fields in (segment.split(b"|") for segment in one)} for one in found]


def everything(warehouse: Any) -> str:
    """Return all that was stored: every row of raw, rejected and canonical, and every landed byte."""
    stored = [
        path.read_bytes().decode("utf-8", "replace") for path in paths.var().rglob("*") if path.is_file()
    ]
    with warehouse.connect("owner") as connection:
        tables = connection.execute(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables "
            "where table_schema in ('landing', 'raw', 'rejected', 'canonical') and table_type = 'BASE TABLE'"
        ).fetchall()
        assert len(tables) > 8
        for (table,) in tables:
            rows = connection.execute(f"select t::text from {table} as t").fetchall()
            stored += [row for (row,) in rows]
    return "\n".join(stored)


def test_admissions_are_counted_by_ward_and_hour_and_every_message_is_accounted_for(
    warehouse: Any, messages: list[dict[bytes, list[bytes]]]
) -> None:
    (load_id,) = loading.ingest(ADMISSIONS)["load_ids"]
    loading.accept([load_id])
    admitted = Counter(
        (one[b"PV1"][3].split(b"^")[0].decode(), one[b"PV1"][44][:10].decode())
        for one in messages
        if one[b"MSH"][8] == b"ADT^A01" and one[b"PV1"][2] == b"I"
    )
    assert admitted.total() == 400
    with warehouse.connect("loader") as connection:
        found = connection.execute(
            "select p.name, to_char(u.period_start at time zone 'Europe/London', 'YYYYMMDDHH24'), "
            "u.value::int from canonical.usage as u join canonical.series as s using (series_id) "
            "join canonical.place as p using (place_id) where s.measure = 'admissions'"
        ).fetchall()
    assert {(ward, hour): count for ward, hour, count in found} == admitted
    account = warehouse.account(load_id)
    assert (account.received, account.rejected) == (len(messages), 0)
    assert account.kept + account.duplicate == 400
    assert account.filtered == len(messages) - 400


def test_nothing_about_a_patient_is_stored(warehouse: Any, messages: list[dict[bytes, list[bytes]]]) -> None:
    private = set()
    for one in messages:
        person = one[b"PID"]
        name, address = person[5].split(b"^"), person[11].split(b"^")
        private |= {
            name[0],
            person[2].split(b"^")[0],
            person[7],
            address[0],
            address[4],
            person[13].split(b"^")[0],
        }
        private |= {visit[19].split(b"^")[0] for visit in [one.get(b"PV1", [])] if len(visit) > 19}
    words = {word.decode() for word in private if len(word) > 5}
    assert len(words) > 200
    loading.ingest(ADMISSIONS)
    assert loading.ingest(ADMISSIONS)["load_ids"] == []  # what is kept is known again
    stored = everything(warehouse)
    assert "RenalWard" in stored
    assert {word for word in words if word in stored} == set()
    assert "Woolfson" not in stored
    assert "Bed 1" not in stored


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Quimby^Anna</html>",
        b"Quimby^Anna",
        b"BHS|^~\\&\rMSH|^~\\&|A||||||ADT^A01|1\rPID|||||Quimby^Anna\r",
    ],
    ids=["page", "text", "cut"],
)
def test_a_file_that_is_no_whole_hl7_is_told_of_and_not_kept(
    warehouse: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    base = tmp_path / "published"
    (base / "hl7v2_simhospital").mkdir(parents=True)
    (base / "hl7v2_simhospital" / "messages.out.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(base))
    with pytest.raises(IngestFailedError, match="not kept"):
        loading.ingest(ADMISSIONS)
    with warehouse.connect("loader") as connection:
        told = connection.execute("select outcome, message from landing.fetch").fetchall()
    assert [outcome for outcome, _ in told] == ["failed"]
    assert "not kept" in told[0][1]
    assert "Quimby" not in everything(warehouse)


def test_the_saner_reports_arrive_whole_with_both_identifiers_of_a_hospital(warehouse: Any) -> None:
    published("fhir_saner_measure_reports/resources.tar.gz")
    (load_id,) = loading.ingest(HOSPITALS)["load_ids"]
    loading.accept([load_id])
    account = warehouse.account(load_id)
    # 108 reports of 15 figures, and 119 other resources; two figures and 65 resources are left out.
    assert (account.received, account.rejected, account.duplicate) == (108 * 15 + 119, 0, 0)
    assert account.kept == 108 * 13 + 54
    assert account.filtered == account.received - account.kept
    with warehouse.connect("loader") as connection:
        identifiers = connection.execute(
            "select system, count(distinct value), count(distinct place_id) "
            "from canonical.facility_identifier group by 1 order by 1"
        ).fetchall()
        places = connection.execute("select count(*) from canonical.place").fetchone()
    assert identifiers == [("saner_hospital", 54, 54), ("saner_location", 54, 54)]
    assert places == (54,)


PATIENT = b'{"resourceType" : "Patient", "name": [{"family": "Quimby"}]}'
SUMMARY = b'{"resourceType": "MeasureReport", "type": "summary", "subject": {}}'
REPORT = b'{"resourceType": "MeasureReport", "type": "individual", "subject": {"display": "Quimby"}}'


def cut_archive() -> bytes:
    """Return the beginning of a tar: a patient is in its first member, its second is not whole."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in (("a.json", PATIENT), ("b.json", b" " * 50_000)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return packed.getvalue()[:30_000]


def nested_archive() -> bytes:
    """Return a zip within a zip, which nobody looks into."""
    content = PATIENT
    for name in ("Patient.ndjson", "export.zip"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name, content)
        content = packed.getvalue()
    return content


@pytest.mark.parametrize(
    "content",
    [
        cut_archive(),
        nested_archive(),
        b'{"resourceType": "Bundle", "entry": [{"resource": ' + PATIENT + b"}]}",
        b'{"resourceType": "Bundle", "entry": [{"resource": ' + PATIENT,
        b'{"resourceType": "Location", "contained": [' + PATIENT + b"]}",
        b" " * (1 << 20) + PATIENT,
        b" " * ((1 << 20) - 20) + PATIENT,
        REPORT,
        SUMMARY.replace(b"{}", b'{"reference": "http://a.example/Patient/1", "display": "Quimby"}'),
        SUMMARY.replace(b"{}", b'{"type": "Patient", "display": "Quimby"}'),
    ],
    ids=[
        "archive",
        "nested",
        "bundle",
        "cut",
        "contained",
        "later_block",
        "across_blocks",
        "report",
        "reference",
        "type",
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_fhir_file_about_patients_is_told_of_and_not_kept(
    warehouse: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, pack: Any
) -> None:
    base = tmp_path / "published"
    (base / "fhir_saner_measure_reports").mkdir(parents=True)
    (base / "fhir_saner_measure_reports" / "resources.tar.gz").write_bytes(pack(content))
    monkeypatch.setenv("CAREGRID_FEEDS_BASE", str(base))
    with pytest.raises(IngestFailedError, match="about patients"):
        loading.ingest(HOSPITALS)
    with warehouse.connect("loader") as connection:
        landed = connection.execute("select count(*) from landing.file").fetchone()
    assert landed == (0,)
    kept = [path for path in paths.var("landing").rglob("*") if path.is_file()]
    assert kept == []
    assert "Quimby" not in everything(warehouse)
