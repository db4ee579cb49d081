"""The store of landed bytes: addressed by content, whole or not there, never changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from caregrid.errors import CareGridError
from caregrid.landing import disk, store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAREGRID_VAR", str(tmp_path))
    return tmp_path


@given(pieces=st.lists(st.binary(max_size=50), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_content_lies_under_its_digest(var: Path, pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    digest, size = store.keep(pieces)
    assert (digest, size) == (hashlib.sha256(content).hexdigest(), len(content))
    path = disk.path_of(digest)
    assert path.relative_to(var).as_posix() == f"landing/{digest[:2]}/{digest[2:4]}/{digest}"
    assert path.read_bytes() == content
    assert store.digest(path) == digest
    assert list((var / "landing" / "incoming").iterdir()) == []


def test_content_kept_twice_is_one_file_that_nobody_may_write(var: Path) -> None:
    digest, _ = store.keep([b"beds"])
    before = disk.path_of(digest).stat()
    assert store.keep([b"be", b"ds"])[0] == digest
    after = disk.path_of(digest).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not after.st_mode & 0o222


def test_what_breaks_off_leaves_nothing(var: Path) -> None:
    def broken() -> object:
        yield b"half"
        raise OSError("the line went dead")

    with pytest.raises(OSError, match="dead"):
        store.keep(broken())
    with pytest.raises(CareGridError, match="longer than 3 bytes"):
        store.keep([b"ab", b"cd"], limit=3)
    assert [path for path in (var / "landing").rglob("*") if path.is_file()] == []
