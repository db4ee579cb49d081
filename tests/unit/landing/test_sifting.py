"""What is looked through before it is kept: all of a FHIR file, however it is packed and written."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from caregrid.errors import CareGridError
from caregrid.feeds.model import Format, Source
from caregrid.landing import store
from caregrid.landing.sifting import sifted

pytestmark = pytest.mark.unit

PRIVATE = "Quimby"
HOSPITAL = json.dumps({"resourceType": "Organization", "name": "North Hospital"}).encode()
PATIENT = json.dumps({"resourceType": "Patient", "name": [{"family": PRIVATE}]}).encode()
EXPORT = (("Organization.ndjson", HOSPITAL), ("Patient.ndjson", PATIENT))


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


def source(member: str | None = None, encoding: str = "utf-8") -> Source:
    form = Format("fhir_ndjson", encoding=encoding)
    return Source("feed", "source", None, None, member, form, ("",), (), (), {}, {}, False)


def zipped(*items: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w", method) as archive:
        for name, content in items:
            archive.writestr(name, content)
    return room.getvalue()


def tarred(*items: tuple[str, bytes]) -> bytes:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w") as archive:
        for name, content in items:
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return room.getvalue()


def zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def refusal(var: Path, content: bytes, member: str | None = None, encoding: str = "utf-8") -> CareGridError:
    """Return why a file is not kept; nothing of it is on the disk, and no word of it in what is told."""
    with pytest.raises(CareGridError, match="is not kept") as refused:
        store.keep(sifted(source(member, encoding), [content]))
    assert [path for path in var.rglob("*") if path.is_file()] == []
    assert PRIVATE not in str(refused.value)
    assert refused.value.fix
    return refused.value


def is_kept(content: bytes, member: str | None = None, encoding: str = "utf-8") -> bool:
    sha256, size = store.keep(sifted(source(member, encoding), [content]))
    with store.room().opened(sha256) as path:
        return size == len(content) and path.read_bytes() == content


ARCHIVES = {
    "zip": zipped(*EXPORT),
    "stored zip": zipped(*EXPORT, method=zipfile.ZIP_STORED),
    "tar": tarred(*EXPORT),
    "tar.gz": gzip.compress(tarred(*EXPORT)),
    "tar.zst": zst(tarred(*EXPORT)),
    "compressed members": zipped(*((name, gzip.compress(content)) for name, content in EXPORT)),
    "compressed members of a tar": tarred(*((name, zst(content)) for name, content in EXPORT)),
    "where macOS keeps its own": zipped(EXPORT[0], ("__MACOSX/Patient.ndjson", PATIENT)),
    "behind the end of a tar": tarred(EXPORT[0]) + tarred(EXPORT[1]),
    "before a zip": zipped(EXPORT[0])[:4] + PATIENT + zipped(EXPORT[0]),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_members_that_the_feed_does_not_read_are_looked_through_as_well(var: Path, name: str) -> None:
    refusal(var, ARCHIVES[name], "Organization*")


def test_the_message_names_the_type_and_what_to_ask_for(var: Path) -> None:
    told = refusal(var, zipped(*EXPORT), "Organization*")
    assert (told.where, "holds Patient" in told.message, "_type=" in told.fix) == (
        "feed, source source",
        True,
        True,
    )


def test_an_archive_without_patients_is_kept_as_it_came() -> None:
    inside = (EXPORT[0], ("Location.ndjson", b'{"resourceType": "Location"}\n'), ("empty.ndjson", b""))
    for content in (zipped(*inside), tarred(*inside), gzip.compress(tarred(*inside)), zst(HOSPITAL), b""):
        assert is_kept(content, "Organization*")


def encrypted(directory: Path) -> bytes:
    program = shutil.which("zip")
    if program is None:
        pytest.skip("zip is not on this machine: apt-get install zip")
    for name, content in EXPORT:
        (directory / name).write_bytes(content)
    command = [program, "-q", "-P", "secret", "export.zip", *(name for name, _ in EXPORT)]
    subprocess.run(command, cwd=directory, check=True)
    return (directory / "export.zip").read_bytes()


def test_an_encrypted_archive_is_refused(var: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    told = refusal(var, encrypted(tmp_path / "made"), "Organization*")
    assert "it is encrypted" in told.message
    assert "without a password" in told.fix


# What nobody can look through, and what is said of it.
CLOSED = {
    "zip in a zip": (zipped(("a.zip", zipped(*EXPORT))), "a zip archive within another"),
    "tar in a zip": (zipped(("a.tar", tarred(*EXPORT))), "a tar archive within another"),
    "zip in a gzip": (gzip.compress(zipped(*EXPORT)), "a zip archive within another"),
    "gzip twice": (gzip.compress(gzip.compress(PATIENT)), "compressed twice"),
    "zstd in a gzip": (gzip.compress(zst(PATIENT)), "compressed twice"),
    "bzip2": (bz2.compress(PATIENT), "bzip2"),
    "cut zip": (zipped(*EXPORT)[:-30], "damaged"),
    "broken zip": (zipped(*EXPORT).replace(b"PK\x01\x02", b"PK\x01\x00"), "damaged"),
    "cut gzip": (gzip.compress(HOSPITAL * 9_000)[:-9], "damaged"),
    "broken member": (zipped(*EXPORT).replace(b"Patient.nd", b"Patient.dn", 1), "damaged"),
    "bomb": (gzip.compress(HOSPITAL + b"\n" * 270_000_000, 1), "times its size"),
    "bomb in a tar": (tarred(("a.gz", gzip.compress(b"[" + b"\n" * 270_000_000, 1))), "times its size"),
    "data in a directory": (zipped(EXPORT[0], ("a/", PATIENT)), "of a kind that is not read"),
    "XML": (b'<?xml version="1.0"?><Patient><name>Quimby</name></Patient>', "XML"),
    "XML without its heading": (b'<Patient xmlns="http://hl7.org/fhir"><name>Quimby</name>', "no JSON"),
    "a table": (b"id,name\n1,Quimby\n", "no JSON"),
    "a table in the archive": (zipped(EXPORT[0], ("a.csv", b"id,name\n1,Quimby\n")), "no JSON"),
    "PDF": (b"%PDF-1.7 Quimby", "a PDF"),
    "another encoding": (PATIENT.decode().encode("utf-16-le"), "no text in utf-8"),
    "undeclared UTF-16": (PATIENT.decode().encode("utf-16"), "no text in utf-8"),
    "EBCDIC": (PATIENT.decode().encode("cp037"), "no text in utf-8"),
}


@pytest.mark.parametrize("name", CLOSED)
def test_what_cannot_be_looked_through_is_refused(var: Path, name: str) -> None:
    content, words = CLOSED[name]
    told = refusal(var, content)
    assert words in told.message
    assert "cannot be looked through" in told.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037", "utf-7", "gb18030"])
def test_text_is_decoded_before_it_is_searched(var: Path, encoding: str) -> None:
    assert "holds Patient" in refusal(var, PATIENT.decode().encode(encoding), encoding=encoding).message
    assert is_kept(HOSPITAL.decode().encode(encoding), encoding=encoding)


def report(told: str) -> bytes:
    return b'{"resourceType": "MeasureReport", "type": "summary", ' + told.encode() + b"}"


@pytest.mark.parametrize(
    "content",
    [
        PATIENT.replace(b"Patient", rb"\u0050atient"),
        PATIENT.replace(b"resourceType", rb"resource\u0054ype"),
        PATIENT.replace(b": ", b" :\r\n\t" + b" " * 9_000),
        b'{"resourceType": "Parameters", "json": ' + json.dumps(PATIENT.decode()).encode() + b"}",
        b'{"resourceType": "Binary", "data": "' + base64.b64encode(PATIENT) + b'"}',
        report('"subject": {"reference": "Patient?identifier=http://a.example|Quimby"}'),
        report('"subject": {"reference": "https://a.example/' + "long/" * 80 + 'Patient/Quimby"}'),
    ],
    ids=["escaped type", "escaped key", "white space", "text in text", "binary", "conditional", "long"],
)
def test_a_patient_is_found_however_it_is_written(var: Path, content: bytes) -> None:
    refusal(var, content)


@pytest.mark.parametrize("before", range((1 << 22) - 60, (1 << 22) + 1, 7))
def test_a_patient_is_found_where_two_blocks_meet(var: Path, before: int) -> None:
    refusal(var, HOSPITAL[:-1].ljust(before) + b"," + PATIENT[1:])
