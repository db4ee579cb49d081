"""Archives and compression as GNU tar, zstd, gzip and zip write them; cut, lying, endless ones of our own."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from caregrid.mapping import UnreadableFile, members, read

pytestmark = pytest.mark.unit
TEXT = b"id,day,n\nA1,2029-01-01,7\n" * 200


@pytest.fixture
def take(tmp_path: Path, small: Any) -> Any:
    """Return a function that reads every member of a file: {member: records}."""

    def reading(content: bytes, form: str = "{type: csv}") -> dict[str, int]:
        path = tmp_path / "landed"
        path.write_bytes(content)
        (source,) = small.usage(form=form).sources.values()
        return {
            member: sum(batch.frame.height for batch in read(source, path, member=member))
            for member in members(source, path) or [""]
        }

    return reading


def tarred(*items: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """Return a tar of Python's making; with a kind and a link its members are no files."""
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w") as archive:
        for name, content in items:
            item = tarfile.TarInfo(name)
            item.type, item.linkname = kind, link
            item.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(item, io.BytesIO(content))
    return room.getvalue()


def zipped(*items: tuple[str, bytes]) -> bytes:
    """Return a zip of Python's making."""
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in items:
            archive.writestr(name, content)
    return room.getvalue()


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine: apt-get install {name}")
    return found


def zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


@pytest.mark.parametrize("format_", ["gnu", "posix", "ustar", "v7"])
@pytest.mark.parametrize("packed", ["", "gzip", "zstd"])
def test_what_gnu_tar_writes_is_read_member_by_member(
    format_: str, packed: str, tmp_path: Path, take: Any
) -> None:
    tar = program("tar")
    (tmp_path / "in" / "2029").mkdir(parents=True)
    (tmp_path / "in" / "2029" / "床位.csv").write_bytes(TEXT)
    (tmp_path / "in" / "b.csv").write_bytes(TEXT[:9] + TEXT[9:25])
    command = [tar, "-C", str(tmp_path / "in"), f"--format={format_}", "-cf", str(tmp_path / "made"), "."]
    if packed:
        command.insert(1, f"--use-compress-program={program(packed)}")
    subprocess.run(command, check=True)
    assert take((tmp_path / "made").read_bytes()) == {"./2029/床位.csv": 399, "./b.csv": 1}


@pytest.mark.parametrize(
    "options",
    [["-9"], ["-0"], ["-fd"], ["-fz"]],
    ids=["deflated", "stored", "sizes_after_the_member", "zip64"],
)
def test_what_zip_writes_is_read_member_by_member(options: list[str], tmp_path: Path, take: Any) -> None:
    (tmp_path / "in" / "2029").mkdir(parents=True)
    (tmp_path / "in" / "2029" / "床位.csv").write_bytes(TEXT)
    (tmp_path / "in" / "b.csv").write_bytes(TEXT[:25])
    made = tmp_path / "made.zip"
    command = [program("zip"), "-q", "-r", *options, str(made), "."]
    subprocess.run(command, cwd=tmp_path / "in", check=True)
    assert take(made.read_bytes()) == {"2029/床位.csv": 399, "b.csv": 1}


def test_what_zip_wrote_through_a_pipe_is_read_and_what_it_encrypted_refused(
    tmp_path: Path, take: Any
) -> None:
    (tmp_path / "b.csv").write_bytes(TEXT)
    piped = subprocess.run(
        [program("zip"), "-q", "-", "b.csv"], cwd=tmp_path, check=True, capture_output=True
    ).stdout
    assert take(piped) == {"b.csv": 399}
    locked = tmp_path / "locked.zip"
    subprocess.run([program("zip"), "-q", "-P", "word", str(locked), "b.csv"], cwd=tmp_path, check=True)
    with pytest.raises(UnreadableFile, match="encrypted"):
        take(locked.read_bytes())


def test_zstd_of_the_command_line_with_several_frames_is_read(tmp_path: Path, take: Any) -> None:
    (tmp_path / "in").write_bytes(TEXT)
    made = subprocess.run(
        [program("zstd"), "-19", "--long", "-c", str(tmp_path / "in")], check=True, capture_output=True
    ).stdout
    assert take(made) == {"": 399}
    assert take(made + zst(TEXT[:9]) + made[:0]) == {"": 400}
    assert take(zst(TEXT * 40_000)) == {"": 200 * 40_000 * 2 - 1}


def test_members_may_be_compressed_once_more(take: Any) -> None:
    inside = [("a.csv.gz", gzip.compress(TEXT)), ("b.csv.zst", zst(TEXT)), ("c.csv", TEXT)]
    expected = {"a.csv.gz": 399, "b.csv.zst": 399, "c.csv": 399}
    for content in (zipped(*inside), tarred(*inside), gzip.compress(tarred(*inside)), zst(tarred(*inside))):
        assert take(content) == expected


def test_only_the_members_that_the_source_names_are_read(tmp_path: Path, small: Any) -> None:
    path = tmp_path / "landed"
    path.write_bytes(zst(tarred(("notes.txt", b"x"), ("2029/a.csv", TEXT), ("b.csv", TEXT))))
    feed = small.usage(form="{type: csv}\n    member: '*.csv'")
    assert members(feed.sources["s"], path) == ["2029/a.csv", "b.csv"]
    feed = small.usage(form="{type: csv}\n    member: '*.json'")
    with pytest.raises(UnreadableFile, match=r"no_member: .*notes\.txt"):
        members(feed.sources["s"], path)


def sparse(size: int) -> bytes:
    """Return a tar whose one member is a hole of any size, which takes no room in the archive."""
    header = tarfile.TarInfo("hole.csv")
    header.size = 0
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    block[386:398], block[398:410] = b"%011o\0" % size, b"%011o\0" % 0
    block[483:495] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"\0" * 1024


CASES: dict[str, tuple[bytes, str]] = {
    "cut zstd": (zst(TEXT)[:-5], "damaged or cut"),
    "zstd cut between blocks": (zst(TEXT * 40_000)[:200], "damaged or cut"),
    "broken zstd": (zst(TEXT)[:6] + b"\xff" * 20, "damaged or cut"),
    "zstd twice": (zst(zst(TEXT)), "compressed twice"),
    "zstd bomb": (zst((b"0" * 999_999 + b"\n") * 270), "times its size"),
    "cut tar": (tarred(("a.csv", TEXT))[:2000], "damaged or cut"),
    "cut tar.gz": (gzip.compress(tarred(("a.csv", TEXT)))[:-40], "damaged or cut"),
    "tar bomb": (gzip.compress(tarred(("a.csv", b"0" * 270_000_000)), 1), "times its size"),
    "tar in a zip": (zipped(("a.tar", tarred(("a.csv", TEXT)))), "a tar archive within another"),
    "tar in a tar": (tarred(("a.tar", tarred(("a.csv", TEXT)))), "a tar archive within another"),
    "two members of one name": (tarred(("a.csv", TEXT), ("a.csv", TEXT)), "two members"),
    "endless name": (tarred(("a" * 600, TEXT)), "longer than"),
    "above the archive": (tarred(("../a.csv", TEXT)), "outside of the archive"),
    "above, in a zip": (zipped(("x/../../a.csv", TEXT)), "outside of the archive"),
    "absolute": (tarred(("/etc/a.csv", TEXT)), "outside of the archive"),
    "of another drive": (zipped(("C:\\a.csv", TEXT)), "outside of the archive"),
    "a symbolic link": (tarred(("a.csv", b""), kind=tarfile.SYMTYPE, link="/etc/passwd"), "is a link"),
    "a hard link": (tarred(("a.csv", b""), kind=tarfile.LNKTYPE, link="b.csv"), "is a link"),
    "a device": (tarred(("a.csv", b""), kind=tarfile.CHRTYPE), "a device"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_archive_is_rejected_with_a_reason(name: str, take: Any) -> None:
    content, words = CASES[name]
    with pytest.raises(UnreadableFile) as refused:
        take(content)
    assert (refused.value.code, words in refused.value.reason) == ("not_this_format", True), refused.value


def test_a_hole_of_gigabytes_is_not_filled(take: Any) -> None:
    with pytest.raises(UnreadableFile, match="control character"):
        take(sparse(8_000_000_000))
    with pytest.raises(UnreadableFile, match="times its size"):
        take(sparse(8_000_000_000), "{type: parquet}")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zst])
def test_members_in_any_number_and_order_are_read_from_one_pass(pack: Any, take: Any) -> None:
    """Of a compressed tar with many members each would else be reached from the beginning."""
    names = [f"{number:03}.csv" for number in range(40)]
    inside = [(name, TEXT + b"B,2029-01-02,1\n" * number) for number, name in enumerate(names)]
    counts = {name: 399 + number for number, name in enumerate(names)}
    assert take(pack(tarred(*reversed(inside)))) == counts
    # Another file of the same name is another archive.
    assert take(pack(tarred(*inside[:20]))) == {name: counts[name] for name in names[:20]}


def test_a_tar_that_ends_between_members_is_cut(take: Any) -> None:
    whole = tarred(("a.csv", TEXT), ("b.csv", TEXT))
    size = tarred(("a.csv", TEXT)).rstrip(b"\0")
    boundary = (len(size) + 511) // 512 * 512
    for end in (boundary, boundary + 100):
        with pytest.raises(UnreadableFile, match="damaged or cut"):
            take(whole[:end])
    with pytest.raises(UnreadableFile, match="damaged or cut"):
        take(whole[:boundary] + b"?" * 512 + whole[boundary + 512 :])


def test_a_link_in_a_zip_is_refused(take: Any) -> None:
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        item = zipfile.ZipInfo("a.csv")
        item.create_system, item.external_attr = 3, 0o120777 << 16
        archive.writestr(item, "/etc/passwd")
    with pytest.raises(UnreadableFile, match="is a link"):
        take(room.getvalue())


def test_parquet_is_read_out_of_a_tar(tmp_path: Path, take: Any) -> None:
    import polars as pl

    pl.DataFrame({"id": ["A1"], "day": ["2029-01-01"], "n": [7]}).write_parquet(tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    for packed in (zst(content), gzip.compress(tarred(("a.parquet", content)))):
        assert list(take(packed, "{type: parquet}").values()) == [1]
