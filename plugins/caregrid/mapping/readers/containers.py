"""From a landed file to the bytes of one file: zip and tar members, gzip and zstd, told apart by content.

The file may be compressed, and be a tar then (.tar.gz, .tar.zst); a member may be compressed once more.
Nothing is written to disk under a name that an archive gives.
"""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

import zstandard

from caregrid.feeds.model import Source
from caregrid.mapping.types import UnreadableFile

DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError)
# What zipfile raises besides, on a directory of members that is itself damaged.
BROKEN_ZIP = (*DAMAGED, RuntimeError, ValueError, LookupError, OverflowError, struct.error)
# Deflate cannot make less than a thousandth of anything; tables come to a fiftieth.
_BOMB_BYTES, _BOMB_RATIO = 1 << 28, 200
_LONGEST_NAME, _MOST_MEMBERS = 500, 100_000
# A compressed tar of more members is unpacked once, to the disk; of few each is reached from the beginning.
_FEW_MEMBERS = 8
# What the library knows and does not tell of.
_NO_HEADER: Any = tuple(getattr(tarfile, f"{what}HeaderError") for what in ("Empty", "Truncated", "Invalid"))
_NO_FURTHER_HEADER: Any = tarfile.SubsequentHeaderError  # type: ignore[attr-defined]
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_TAR_BLOCK = 512
_ZSTD_BLOCK = 1 << 11  # a few bytes may become a block of 128 KiB: little is fed at a time
_COPY_BYTES = 1 << 22
_SAID_TO_BE_UTF8 = 0x800


def archive_members(source: Source, path: Path) -> list[str]:
    """Return the members of a zip or tar that the source names, sorted; [] when the file is neither.

    Raises UnreadableFile: no_member, not_this_format.
    """
    names = _member_names(source, path)
    return _chosen(source, names) if names is not None else []


def _member_names(source: Source, path: Path) -> list[str] | None:
    """Return the members of a zip or tar, in its order; None when the file is neither, or a workbook."""
    kind = _archive_kind(path)
    if not kind:
        return None
    names = _zip_names(path) if kind == "zip" else list(_tar(path).names)
    if "[Content_Types].xml" in names:
        if source.format.type == "xlsx":
            return None
        raise UnreadableFile(
            "not_this_format",
            "the file is an Excel or Word document: set format: {type: xlsx}, or export it as CSV",
        )
    if any(len(name) > _LONGEST_NAME for name in names):
        raise UnreadableFile("not_this_format", f"a member's name is longer than {_LONGEST_NAME} characters")
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise UnreadableFile("not_this_format", f"two members are called {twice!r}: one would hide the other")
    for name in names:
        _refuse_outside(name)
    return names


def _chosen(source: Source, names: list[str]) -> list[str]:
    """Return the members that the source names, sorted; what macOS adds is none. Raises UnreadableFile."""
    chosen = sorted(name for name in names if _is_chosen(source, name))
    if not chosen:
        offered = ", ".join([name for name in names if not _is_from_macos(name)][:20])
        raise UnreadableFile("no_member", f"no member matches {source.member or '*'!r}; there are: {offered}")
    return chosen


def _is_chosen(source: Source, name: str) -> bool:
    pattern = source.member or "*"
    return not _is_from_macos(name) and (fnmatch(name, pattern) or fnmatch(Path(name).name, pattern))


def _is_from_macos(name: str) -> bool:
    return name.startswith("__MACOSX/")


def _refuse_outside(name: str) -> None:
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.drive or windows.root or ".." in windows.parts:
        raise UnreadableFile("not_this_format", f"member {name!r} lies outside of the archive")


@contextmanager
def open_content(source: Source, path: Path, member: str = "") -> Iterator[BinaryIO]:
    """Give the bytes of the file, or of its one member, uncompressed; told apart by content, not by name."""
    with ExitStack() as stack:
        chosen = member or next(iter(archive_members(source, path)), "")
        packed = bool(chosen)
        if not chosen:
            stream: Any = stack.enter_context(path.open("rb"))
        elif _archive_kind(path) == "zip":
            stream = _open_zipped(path, chosen, stack)
        else:
            stream = _tar(path).open(chosen, stack)
        unpacked = decompressed(stream, stack)
        if unpacked is not None:
            stream, packed = unpacked, True
        yield Unpacked(stream, path.stat().st_size) if packed else stream  # type: ignore[misc]


def every_content(source: Source, path: Path, *, whole: bool = False) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (member or '', bytes) of every file, in one pass; for formats whose members belong together.

    What stands before a cut is given before it is told.

    Args:
        whole: every member of an archive, also those that the source does not name.

    Raises:
        UnreadableFile: no_member, not_this_format.
    """
    if _archive_kind(path) != "tar":
        for name in (_member_names(source, path) if whole else archive_members(source, path)) or [""]:
            with open_content(source, path, name) as stream:
                yield name, stream
        return
    names: list[str] = []
    try:
        with ExitStack() as stack:
            archive = _open_tar(path, stack)
            for item in archive:
                names.append(item.name)
                if not item.isfile() or not (whole or _is_chosen(source, item.name)):
                    continue
                with ExitStack() as inner:
                    extracted: Any = archive.extractfile(item)
                    content: Any = inner.enter_context(io.BufferedReader(extracted))
                    unpacked: Any = decompressed(content, inner)
                    if unpacked is not None:
                        content = Unpacked(unpacked, path.stat().st_size)
                    yield item.name, content
    except DAMAGED as error:
        raise damaged(error) from error
    if not whole:
        _chosen(source, names)


@contextmanager
def wrapping(path: Path) -> Iterator[BinaryIO | None]:
    """Give the bytes of an archive as they lie around and between its members too; None for no archive."""
    if not _archive_kind(path):
        yield None
        return
    with ExitStack() as stack:
        stream: Any = stack.enter_context(path.open("rb"))
        unpacked = decompressed(stream, stack)
        yield stream if unpacked is None else Unpacked(unpacked, path.stat().st_size)  # type: ignore[misc]


@contextmanager
def seekable_file(source: Source, path: Path, member: str = "") -> Iterator[Path]:
    """Give readers a file they can seek in: the landed one, or a temporary copy of what is packed."""
    with path.open("rb") as stream:
        start = stream.read(4)
    packed = start.startswith((_GZIP, _ZSTD)) or _archive_kind(path)
    if not packed or (not member and not archive_members(source, path) and start == _ZIP):
        yield path
        return
    with open_content(source, path, member) as stream, tempfile.NamedTemporaryFile() as copy:
        while block := read_bytes(stream, _COPY_BYTES):
            copy.write(block)
        copy.flush()
        yield Path(copy.name)


class Unpacked(io.RawIOBase):
    """Uncompressed content that stops where no honest file goes: a few bytes may unpack to a full disk."""

    def __init__(self, stream: Any, packed: int | Callable[[], int]) -> None:
        """Take the stream, and of how many bytes it is made: a number, or what tells how many so far."""
        self._stream = stream
        self._packed = packed
        self._given = 0

    def readable(self) -> bool:
        """Say that this is for reading."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes. Raises UnreadableFile beyond the limit."""
        block: bytes = self._stream.read(size if size >= 0 else self._limit() - self._given + 1)
        self._given += len(block)
        if self._given > self._limit():
            raise UnreadableFile(
                "not_this_format",
                f"the compressed file unpacks to more than {_BOMB_RATIO} times its size: no data does",
            )
        return block

    def _limit(self) -> int:
        packed = self._packed() if callable(self._packed) else self._packed
        return max(_BOMB_BYTES, packed * _BOMB_RATIO)


def read_bytes(stream: BinaryIO, size: int = -1) -> bytes:
    """Read from possibly compressed content. Raises UnreadableFile when the compression is damaged."""
    try:
        return stream.read(size)
    except DAMAGED as error:
        raise damaged(error) from error


class Rejoined:
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Read from the beginning, then from the stream."""
        if self._head:
            block = self._head if size < 0 else self._head[:size]
            self._head = self._head[len(block) :]
            if size >= 0 and (len(block) == size or not size):
                return block
            return block + read_bytes(self._stream, size - len(block) if size >= 0 else -1)
        return read_bytes(self._stream, size)


def damaged(error: Exception) -> UnreadableFile:
    """Return what to raise for content whose packing is broken."""
    return UnreadableFile("not_this_format", f"the compressed file is damaged or cut: {error}")


class _Zstd(io.RawIOBase):
    """Uncompressed zstandard, of one frame or several; unlike the library's own, it notices a cut one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._room = b""
        self._frame: Any = None
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._room:
            block = self._pending or self._stream.read(_ZSTD_BLOCK)
            self._pending = b""
            if not block:
                if self._frame is not None:
                    raise EOFError("the zstandard frame ends before its end")
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._room = self._frame.decompress(block)
            if self._frame.eof:
                self._pending, self._frame = self._frame.unused_data, None
        taken = self._room[: len(buffer)]
        buffer[: len(taken)] = taken
        self._room = self._room[len(taken) :]
        return len(taken)


def decompressed(stream: Any, stack: ExitStack) -> Any:
    """Return the content of a gzip or zstd stream that can be peeked into, None when it is neither.

    Raises UnreadableFile: not_this_format, when the stream is itself unpacked and damaged.
    """
    try:
        start = stream.peek(4)[:4]
    except DAMAGED as error:
        raise damaged(error) from error
    if start.startswith(_GZIP):
        return stack.enter_context(io.BufferedReader(gzip.GzipFile(fileobj=stream)))
    if start == _ZSTD:
        return stack.enter_context(io.BufferedReader(_Zstd(stream)))
    return None


def _archive_kind(path: Path) -> str:
    """Return zip, tar or '': what is compressed may still be a tar."""
    with ExitStack() as stack:
        stream: Any = stack.enter_context(path.open("rb"))
        if stream.peek(4)[:4] == _ZIP:
            return "zip"
        stream = decompressed(stream, stack) or stream
        try:
            block = stream.read(_TAR_BLOCK)
            tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except DAMAGED:  # also no header of a tar; what is damaged is told when it is read
            return ""
        return "tar"


def _zip_names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            # is_dir() fails on a member without a name
            items = [item for item in archive.infolist() if item.file_size or not item.filename.endswith("/")]
    except BROKEN_ZIP as error:
        raise UnreadableFile("not_this_format", f"the zip archive is damaged: {error}") from error
    for item in items:
        if not item.filename:
            raise UnreadableFile("not_this_format", "a member of the archive has no name")
        if item.filename.endswith("/"):
            raise UnreadableFile(
                "not_this_format", f"the directory {item.filename!r} of the archive holds data"
            )
        if stat.S_ISLNK(item.external_attr >> 16):
            raise UnreadableFile("not_this_format", f"member {item.filename!r} is a link and holds no data")
    return [_meant(item) for item in items]


def _meant(item: zipfile.ZipInfo) -> str:
    """Return the name of a member: the zip of the command line writes UTF-8 and does not say so."""
    if item.flag_bits & _SAID_TO_BE_UTF8:
        return item.filename
    try:
        return item.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return item.filename


def _open_zipped(path: Path, member: str, stack: ExitStack) -> io.BufferedReader:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        # Files landed earlier may bear the name as the archive writes it.
        names = {item.filename: item for item in archive.infolist()}
        names |= {_meant(item): item for item in archive.infolist()}
        if member not in names:
            raise UnreadableFile("no_member", f"the archive holds no member {member!r}")
        return stack.enter_context(io.BufferedReader(archive.open(names[member])))  # type: ignore[arg-type]
    except DAMAGED as error:
        raise damaged(error) from error
    except BROKEN_ZIP as error:  # RuntimeError: encrypted; NotImplementedError: a compression unknown
        raise UnreadableFile("not_this_format", f"the zip archive cannot be opened: {error}") from error


def _open_tar(path: Path, stack: ExitStack) -> tarfile.TarFile:
    """Open a tar for one pass from its beginning; of what is compressed only so much is unpacked."""
    raw: Any = stack.enter_context(path.open("rb"))
    packed = decompressed(raw, stack)
    if packed is None:
        return _tarfile(raw, "r:", stack)
    return _tarfile(Unpacked(packed, path.stat().st_size), "r|", stack)


def _tarfile(stream: Any, mode: Any, stack: ExitStack) -> tarfile.TarFile:
    return stack.enter_context(tarfile.open(fileobj=stream, mode=mode, errorlevel=2, tarinfo=_Header))


class _Header(tarfile.TarInfo):
    """A header of a member. The library takes a damaged, cut or missing one for the end, and is silent."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Header:
        try:
            return super().fromtarfile(archive)
        except _NO_HEADER as error:
            raise _NO_FURTHER_HEADER(f"no header where a member or the end should be: {error}") from error


class _Tar:
    """What a tar holds and where, found in one pass, so that its members can be opened in any order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names: list[str] = []
        self._items: dict[str, tarfile.TarInfo] = {}
        self._copy: Any = None
        try:
            with ExitStack() as stack:
                archive = _open_tar(path, stack)
                self._is_packed = not isinstance(archive.fileobj, io.BufferedReader)
                for item in archive:
                    if not item.isdir():
                        self._add(item)
        except DAMAGED as error:
            raise damaged(error) from error

    def _add(self, item: tarfile.TarInfo) -> None:
        if not item.isfile():
            raise UnreadableFile(
                "not_this_format", f"member {item.name!r} is a link or a device and holds no data"
            )
        if len(self.names) == _MOST_MEMBERS:
            raise UnreadableFile("not_this_format", f"the archive has more than {_MOST_MEMBERS:,} members")
        self.names.append(item.name)
        self._items[item.name] = item

    def open(self, member: str, stack: ExitStack) -> io.BufferedReader:
        """Open a member. Raises UnreadableFile: no_member, not_this_format."""
        item = self._items.get(member)
        if item is None:
            raise UnreadableFile("no_member", f"the archive holds no member {member!r}")
        if self._is_packed and len(self.names) > _FEW_MEMBERS and self._copy is None:
            self._copy = self._unpacked()
        try:
            if self._is_packed and self._copy is None:
                archive = _open_tar(self._path, stack)
                for found in archive:
                    if found.offset == item.offset:
                        break
            else:
                plain = Path(self._copy.name) if self._copy else self._path
                raw = stack.enter_context(plain.open("rb"))
                archive = _tarfile(raw, "r:", stack)
            content: Any = archive.extractfile(item)
            return stack.enter_context(io.BufferedReader(content))
        except DAMAGED as error:
            raise damaged(error) from error

    def _unpacked(self) -> Any:
        """Return a temporary copy of what was compressed: to reach the last member all are unpacked."""
        copy = tempfile.NamedTemporaryFile()  # noqa: SIM115 - it stays as long as what was found
        with ExitStack() as stack:
            raw: Any = stack.enter_context(self._path.open("rb"))
            stream = Unpacked(decompressed(raw, stack), self._path.stat().st_size)
            while block := read_bytes(stream, _COPY_BYTES):  # type: ignore[arg-type]
                copy.write(block)
        copy.flush()
        return copy


def _tar(path: Path) -> _Tar:
    status = path.stat()
    return _tar_of(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1)
def _tar_of(path: Path, *_: int) -> _Tar:
    """Return what was found in a tar when it was asked for last: each of its members is opened on its own."""
    return _Tar(path)
